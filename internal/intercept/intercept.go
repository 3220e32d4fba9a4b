// Package intercept wraps a [backends.Backend], for tests that look at the operations of a store,
// or change what is asked of it or what it answers: a network that hangs, a fault in a store.
package intercept

import (
	"context"
	"iter"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Backend passes every call on to the Backend in it, through a hook where there is one. Hooks are
// set before the first call, and may be called by many goroutines at a time.
//
// A hook of a method gets what the method was called with, and the method of the Backend behind
// it, which it may call or not. The op that a hook gets is a copy of the caller's, with the same
// slices: a hook that changes a request replaces the slice. The copy of OnCancel is the one of
// OnStart.
type Backend struct {
	backends.Backend

	OnStart   func(op *backends.Op, start Start) backends.Work
	OnCancel  func(op *backends.Op, cancel Start) backends.Work
	OnRenew   func(ctx context.Context, rs []backends.Renewal, renew Renew) []backends.Renewed
	OnInspect func(ctx context.Context, name string, inspect Inspect) (backends.State, error)
	OnList    func(ctx context.Context, list List) iter.Seq2[backends.State, error]
	OnBreak   func(ctx context.Context, name string, breaks Break) error
	OnDetach  func(ctx context.Context, d backends.Detachment, detach Detach) error
	OnAdopt   func(ctx context.Context, a backends.Adoption, adopt Adopt) (backends.Grant, error)
	OnClose   func(ctx context.Context, closes Close) error

	// OnGranted and OnReleased get each answer of the store, and return what the caller is told.
	OnGranted  func(r backends.Request, g backends.Grant, err error) (backends.Grant, error)
	OnReleased func(g backends.Grant, err error) error
}

// Start is the type of the methods Start and Cancel.
type Start = func(*backends.Op) backends.Work

// Renew is the type of the method Renew.
type Renew = func(context.Context, []backends.Renewal) []backends.Renewed

// Inspect is the type of the method Inspect.
type Inspect = func(context.Context, string) (backends.State, error)

// List is the type of the method List.
type List = func(context.Context) iter.Seq2[backends.State, error]

// Break is the type of the method Break.
type Break = func(context.Context, string) error

// Detach is the type of the method Detach.
type Detach = func(context.Context, backends.Detachment) error

// Adopt is the type of the method Adopt.
type Adopt = func(context.Context, backends.Adoption) (backends.Grant, error)

// Close is the type of the method Close.
type Close = func(context.Context) error

// Start starts a copy of op, which the State of op holds, with the answers led through the hooks.
// See [backends.Backend].
func (b *Backend) Start(op *backends.Op) backends.Work {
	inner := *op
	inner.State = nil
	if granted := op.Granted; granted != nil && b.OnGranted != nil {
		requests := op.Acquire
		inner.Granted = func(i int, g backends.Grant, err error) {
			g, err = b.OnGranted(requests[i], g, err)
			granted(i, g, err)
		}
	}
	if released := op.Released; released != nil && b.OnReleased != nil {
		grants := op.Release
		inner.Released = func(i int, err error) { released(i, b.OnReleased(grants[i], err)) }
	}
	op.State = &inner
	if b.OnStart != nil {
		return b.OnStart(&inner, b.Backend.Start)
	}
	return b.Backend.Start(&inner)
}

// Cancel cancels the copy that Start has made. See [backends.Backend].
func (b *Backend) Cancel(op *backends.Op) backends.Work {
	inner, _ := op.State.(*backends.Op)
	switch {
	case inner == nil: // never started
		return nil
	case b.OnCancel != nil:
		return b.OnCancel(inner, b.Backend.Cancel)
	default:
		return b.Backend.Cancel(inner)
	}
}

// Renew prolongs grants. See [backends.Backend].
func (b *Backend) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	if b.OnRenew != nil {
		return b.OnRenew(ctx, rs, b.Backend.Renew)
	}
	return b.Backend.Renew(ctx, rs)
}

// Inspect returns who holds and who waits. See [backends.Backend].
func (b *Backend) Inspect(ctx context.Context, name string) (backends.State, error) {
	if b.OnInspect != nil {
		return b.OnInspect(ctx, name, b.Backend.Inspect)
	}
	return b.Backend.Inspect(ctx, name)
}

// List yields every resource in use. See [backends.Backend].
func (b *Backend) List(ctx context.Context) iter.Seq2[backends.State, error] {
	if b.OnList != nil {
		return b.OnList(ctx, b.Backend.List)
	}
	return b.Backend.List(ctx)
}

// Break ends every grant of a resource. See [backends.Backend].
func (b *Backend) Break(ctx context.Context, name string) error {
	if b.OnBreak != nil {
		return b.OnBreak(ctx, name, b.Backend.Break)
	}
	return b.Backend.Break(ctx, name)
}

// Detach takes a grant from its client. See [backends.Backend].
func (b *Backend) Detach(ctx context.Context, d backends.Detachment) error {
	if b.OnDetach != nil {
		return b.OnDetach(ctx, d, b.Backend.Detach)
	}
	return b.Backend.Detach(ctx, d)
}

// Adopt makes a detached grant the client's own. See [backends.Backend].
func (b *Backend) Adopt(ctx context.Context, a backends.Adoption) (backends.Grant, error) {
	if b.OnAdopt != nil {
		return b.OnAdopt(ctx, a, b.Backend.Adopt)
	}
	return b.Backend.Adopt(ctx, a)
}

// Close ends the client. See [backends.Backend].
func (b *Backend) Close(ctx context.Context) error {
	if b.OnClose != nil {
		return b.OnClose(ctx, b.Backend.Close)
	}
	return b.Backend.Close(ctx)
}
