package named

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The sides of watched.
const (
	unwatched = "nothing on"
	tracing   = "a tracer that does nothing"
	withSites = "sites"
	slowLog   = "slow log"
)

// watched is what each way of watching adds to an acquire and its release.
func watched() harness.Case {
	side := func(name string, opts ...manager.Option) harness.Side {
		return harness.Side{Name: name, Run: withManager(func(m *manager.Manager) run {
			return harness.Loop(func(ctx context.Context, n int) error { return leases.Loop(ctx, m, "name", n) })
		}, opts...)}
	}
	adds := func(side string, bound float64) harness.Check {
		return harness.Check{
			What: "watched by " + side, Metric: "least ns/op", Ours: side, Base: []string{unwatched},
			Added: true, Bound: bound, NoTarget: bound == 0, Minimum: true,
		}
	}
	return harness.Case{
		Name:   "one name, uncontended, watched",
		Models: "the same in production, where operators watch",
		Sides: []harness.Side{
			side(unwatched),
			side(tracing, manager.WithTracer(blind{})),
			side(withSites, manager.WithSites()),
			side(slowLog, manager.WithSlowLog(time.Minute, time.Minute)),
		},
		Checks: []harness.Check{adds(tracing, 150), adds(withSites, 0), adds(slowLog, 0)},
	}
}

// blind is told of everything, and does nothing.
type blind struct{}

var _ interface {
	manager.Tracer
	manager.LeaseTracer
	manager.HandoffTracer
	manager.RenewalTracer
	manager.DeadlockTracer
} = blind{}

func (blind) TraceAcquireStart(ctx context.Context, _ manager.TraceAcquireStart) context.Context {
	return ctx
}
func (blind) TraceAcquireEnd(context.Context, manager.TraceAcquireEnd)       {}
func (blind) TraceLeaseEnd(context.Context, manager.TraceLeaseEnd)           {}
func (blind) TraceHandoff(context.Context, manager.TraceHandoff)             {}
func (blind) TraceRenewalFailed(context.Context, manager.TraceRenewalFailed) {}
func (blind) TraceDeadlock(context.Context, manager.TraceDeadlock)           {}
