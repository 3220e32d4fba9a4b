package manager

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/nils"
)

// A Tracer is told of each acquire: of Acquire, TryAcquire, Do and Adopt, of each term of Lead, of All as
// a whole, and of nested and re-entrant ones. Only an acquire with a nil context or a zero claim is
// not traced.
//
// Both calls come on the goroutine of the caller, before and after the acquire, so they delay it
// and nothing else. A panic of theirs reaches the caller; one of TraceAcquireEnd after the lease
// was released. A Tracer is used by many goroutines at once.
//
// A Tracer may also be a [LeaseTracer], [HandoffTracer], [RenewalTracer] or [DeadlockTracer]: New
// finds out.
type Tracer interface {
	// TraceAcquireStart returns the context that the acquire uses from then on, and from which the
	// context of the lease takes its values: ctx, or one derived from it. Nil stands for ctx.
	TraceAcquireStart(ctx context.Context, data TraceAcquireStart) context.Context

	// TraceAcquireEnd has the context that TraceAcquireStart has returned.
	TraceAcquireEnd(ctx context.Context, data TraceAcquireEnd)
}

// A LeaseTracer is told of the end of each lease that an acquire returned, once; of an All as a
// whole. The call comes on the goroutine that ends the lease: that of Release, or one of the
// manager's. It must not block, nor call the manager. A panic of it is logged and goes no further.
// A lease that is lost at once may end before TraceAcquireEnd. The context is that of
// TraceAcquireStart.
type LeaseTracer interface {
	TraceLeaseEnd(ctx context.Context, data TraceLeaseEnd)
}

// A HandoffTracer is told when a name is handed from a holder to the next waiter of this process.
// The context is that of the waiter's TraceAcquireStart. What LeaseTracer says of goroutines and
// panics holds.
type HandoffTracer interface {
	TraceHandoff(ctx context.Context, data TraceHandoff)
}

// A RenewalTracer is told of each renewal that failed. The context is that of the holder's
// TraceAcquireStart. What LeaseTracer says of goroutines and panics holds.
type RenewalTracer interface {
	TraceRenewalFailed(ctx context.Context, data TraceRenewalFailed)
}

// A DeadlockTracer is told of each acquire that fails with a [DeadlockError], just before its
// TraceAcquireEnd and as that is.
type DeadlockTracer interface {
	TraceDeadlock(ctx context.Context, data TraceDeadlock)
}

// TraceAcquireStart is what a Tracer is told when an acquire begins.
type TraceAcquireStart struct {
	Name     string        // of an All: its names joined by "+"
	Kind     backends.Kind // zero for an All
	Capacity int64         // zero for an All
	Weight   int64         // permits; zero for an All
	Try      bool

	seen *sighting
}

// Site returns the line of code that acquires. Unless it is recorded ([WithSites]), Site looks at the
// stack, which takes some microseconds, and records it: then Stats, errors, logs and the later calls
// of the tracer have it too. A tracer that does not ask pays nothing.
//
// It has to be called in TraceAcquireStart, on its goroutine. Later it returns what is recorded.
func (d TraceAcquireStart) Site() Site { return d.seen.look() }

// TraceAcquireEnd is what a Tracer is told when an acquire ends.
type TraceAcquireEnd struct {
	Lease *Lease // nil if Err is not; to keep it is to hold it, see Lease
	Err   error

	seen *sighting
}

// Site is that of TraceAcquireStart, to be called in TraceAcquireEnd, on its goroutine.
func (d TraceAcquireEnd) Site() Site { return d.seen.look() }

// TraceLeaseEnd is what a LeaseTracer is told.
type TraceLeaseEnd struct {
	Name  string
	Token uint64        // zero for an All
	Site  Site          // zero if it is not recorded
	Held  time.Duration // since the grant
	Err   error         // ErrReleased, ErrDetached, or the *LostError
}

// TraceHandoff is what a HandoffTracer is told.
type TraceHandoff struct {
	Name    string
	Token   uint64        // of the new holder
	Waited  time.Duration // how long it had waited
	Waiting int           // acquires of this process that wait on
}

// TraceRenewalFailed is what a RenewalTracer is told.
type TraceRenewalFailed struct {
	Name       string
	Token      uint64
	ValidUntil time.Time // of the grant, unless a later renewal succeeds
	Err        error
}

// TraceDeadlock is what a DeadlockTracer is told.
type TraceDeadlock struct {
	Cycle []string // see DeadlockError
	Site  Site     // of the acquire that failed; zero if it is not recorded
}

// WithTracer has t told of acquires, see [Tracer]. It costs about a tenth of an uncontended acquire
// in memory, and what t costs. Of several tracers the last counts. Default: none, which costs a
// comparison.
func WithTracer(t Tracer) Option {
	return Option{func(c *config) error {
		if nils.Is(t) {
			return &InvalidError{Field: "tracer", Value: nil, Want: "a tracer"}
		}
		o := &c.observer
		o.on, o.tracer = true, t
		o.lease, _ = t.(LeaseTracer)
		o.handoff, _ = t.(HandoffTracer)
		o.renewal, _ = t.(RenewalTracer)
		o.deadlock, _ = t.(DeadlockTracer)
		return nil
	}}
}

// guard calls a tracer where a panic would end an actor, or reach a caller that cannot know of it.
func (m *Manager) guard(call func()) {
	defer func() {
		if v := recover(); v != nil {
			m.log("tracer panicked", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	call()
}

// traceHandoff tells of a hand-off to r.
func (k *keeper) traceHandoff(r *request, waited time.Duration) {
	o := k.m.observer
	if o == nil || o.handoff == nil || r.seen == nil {
		return
	}
	h := TraceHandoff{Name: k.name, Token: r.token, Waited: waited, Waiting: k.queue.n}
	k.m.guard(func() { o.handoff.TraceHandoff(r.seen.ctx, h) })
}

// traceRenewal tells of a renewal that failed.
func (k *keeper) traceRenewal(r *request, err error) {
	o := k.m.observer
	if o == nil || o.renewal == nil || r == nil || r.seen == nil {
		return
	}
	f := TraceRenewalFailed{Name: k.name, Token: r.token, ValidUntil: r.validUntil(), Err: err}
	k.m.guard(func() { o.renewal.TraceRenewalFailed(r.seen.ctx, f) })
}
