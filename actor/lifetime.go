package actor

import (
	"context"
	"sync/atomic"
	"time"
)

// A lifetime is the context of an actor. Most actors live and die without a wait for their context,
// so the real one is made for the first wait.
//
// End first stores the cause and then looks for a real context to cancel; a goroutine that makes
// one first publishes it and then looks for a cause: one of the two cancels it.
type lifetime struct {
	cause atomic.Pointer[error]
	real  atomic.Pointer[realContext]
}

type realContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// end ends the lifetime, the first time. What cause points to must not change any more.
func (l *lifetime) end(cause *error) {
	if !l.cause.CompareAndSwap(nil, cause) {
		return
	}
	if r := l.real.Load(); r != nil {
		r.cancel(*cause)
	}
}

// made gives the real context.
func (l *lifetime) made() *realContext {
	if r := l.real.Load(); r != nil {
		return r
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &realContext{ctx, cancel}
	if !l.real.CompareAndSwap(nil, r) {
		cancel(nil) // another goroutine was faster
		r = l.real.Load()
	}
	if cause := l.cause.Load(); cause != nil {
		r.cancel(*cause)
	}
	return r
}

func (l *lifetime) Deadline() (time.Time, bool) { return time.Time{}, false }

func (l *lifetime) Done() <-chan struct{} { return l.made().Done() }

// Err agrees with Done: it is not nil once end has been called, and Done is closed before
// its users see it open again.
func (l *lifetime) Err() error {
	if l.cause.Load() != nil {
		return context.Canceled
	}
	return nil
}

// Value is that of the real context, by which package context recognises its own kind: so a
// derived context costs no goroutine, and context.Cause finds the cause.
func (l *lifetime) Value(key any) any { return l.made().Value(key) }

// A turnContext is the context handlers get: an actor's lifetime, but it tells Ask whose handler is
// asking. It is the core itself, so that an actor need not hold one.
type turnContext core

type turnKey struct{}

func (t *turnContext) Deadline() (time.Time, bool) { return t.lifetime.Deadline() }
func (t *turnContext) Done() <-chan struct{}       { return t.lifetime.Done() }
func (t *turnContext) Err() error                  { return t.lifetime.Err() }

func (t *turnContext) Value(key any) any {
	if _, ok := key.(turnKey); ok {
		return (*core)(t)
	}
	return t.lifetime.Value(key)
}

// turnCtx gives it.
func (c *core) turnCtx() *turnContext { return (*turnContext)(c) }
