package lkotel

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockkeeper/lockkeeper/manager"
)

// acquire is what the tracer knows of an acquire and of the lease that it gets. It is a value of
// the context that the manager passes to all calls that concern them. It does not refer to the
// Lease, which the program may drop.
type acquire struct {
	begin time.Time
	start manager.TraceAcquireStart

	labels   []attribute.KeyValue // of metrics
	labelled metric.MeasurementOption

	caller  context.Context // of the acquire
	waitCtx context.Context // has the span of the wait: for exemplars
	wait    trace.Span

	mu      sync.Mutex
	hold    trace.Span // nil: not yet
	holdCtx context.Context
	later   []func(context.Context, trace.Span) // for the hold, when it is there
}

type acquireKey struct{}

// acquireOf returns the innermost acquire of ctx. Of nested acquires each has a context of its own.
func acquireOf(ctx context.Context) *acquire { return ctx.Value(acquireKey{}).(*acquire) }

// holds says that the hold has begun.
func (a *acquire) holds(ctx context.Context, hold trace.Span) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holdCtx, a.hold = ctx, hold
	for _, f := range a.later {
		f(ctx, hold)
	}
	a.later = nil
}

// onHold calls f with the span of the hold, as soon as there is one. The manager's goroutines may
// tell of a lease, its end too, before the caller's has come to the end of the acquire. The mutex
// decides which is first: then f runs here, or later in holds, and once in either case.
func (a *acquire) onHold(f func(context.Context, trace.Span)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hold == nil {
		a.later = append(a.later, f)
		return
	}
	f(a.holdCtx, a.hold)
}

// measured returns the attributes of a duration.
func (a *acquire) measured(more attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(a.labels[:len(a.labels):len(a.labels)], more)...)
}

// Values of lockkeeper.result and lockkeeper.end; the other ends are reasons of losses.
const (
	acquired  = "acquired"
	busy      = "busy"
	timedOut  = "timed_out"
	cancelled = "cancelled"
	failed    = "failed"
	released  = "released"
)

// resultOf says how an acquire with the context of its caller ended, in the words of
// manager.Counters. A store may fail with the error of a context of its own.
func resultOf(caller context.Context, err error) string {
	switch {
	case err == nil:
		return acquired
	case errors.Is(err, manager.ErrBusy):
		return busy
	case caller.Err() == nil:
		return failed
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut
	case errors.Is(err, context.Canceled):
		return cancelled
	}
	return failed
}

// endOf says why a lease ended.
func endOf(err error) string {
	var lost *manager.LostError
	if errors.As(err, &lost) {
		return clean(string(lost.Reason))
	}
	return released
}
