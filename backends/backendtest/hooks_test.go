package backendtest_test

import (
	"context"
	"iter"

	"github.com/lockkeeper/lockkeeper/backends"
)

// hooks is a backend of which single methods can be replaced.
type hooks struct {
	backends.Backend
	acquire func(context.Context, backends.Request) (backends.Grant, error)
	try     func(context.Context, backends.Request) (backends.Grant, error)
	renew   func(context.Context, []backends.Renewal) []backends.Renewed
	release func(context.Context, backends.Grant) error
	inspect func(context.Context, string) (backends.State, error)
	list    func(context.Context) iter.Seq2[backends.State, error]
	breakIt func(context.Context, string) error
	close   func(context.Context) error
	post    func(backends.Post) backends.Posted
}

func (h *hooks) Post(p backends.Post) backends.Posted {
	if h.post != nil {
		return h.post(p)
	}
	return h.Backend.(backends.Poster).Post(p)
}

func (h *hooks) Acquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	if h.acquire != nil {
		return h.acquire(ctx, r)
	}
	return h.Backend.Acquire(ctx, r)
}

func (h *hooks) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	if h.try != nil {
		return h.try(ctx, r)
	}
	return h.Backend.TryAcquire(ctx, r)
}

func (h *hooks) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	if h.renew != nil {
		return h.renew(ctx, rs)
	}
	return h.Backend.Renew(ctx, rs)
}

func (h *hooks) Release(ctx context.Context, g backends.Grant) error {
	if h.release != nil {
		return h.release(ctx, g)
	}
	return h.Backend.Release(ctx, g)
}

func (h *hooks) Inspect(ctx context.Context, name string) (backends.State, error) {
	if h.inspect != nil {
		return h.inspect(ctx, name)
	}
	return h.Backend.Inspect(ctx, name)
}

func (h *hooks) List(ctx context.Context) iter.Seq2[backends.State, error] {
	if h.list != nil {
		return h.list(ctx)
	}
	return h.Backend.List(ctx)
}

func (h *hooks) Break(ctx context.Context, name string) error {
	if h.breakIt != nil {
		return h.breakIt(ctx, name)
	}
	return h.Backend.Break(ctx, name)
}

func (h *hooks) Close(ctx context.Context) error {
	if h.close != nil {
		return h.close(ctx)
	}
	return h.Backend.Close(ctx)
}

// eachRequest changes what both Acquire and TryAcquire do.
func (h *hooks) eachRequest(f func(ctx context.Context, r backends.Request, call call) (backends.Grant, error)) {
	inner := h.Backend
	h.acquire = func(ctx context.Context, r backends.Request) (backends.Grant, error) { return f(ctx, r, inner.Acquire) }
	h.try = func(ctx context.Context, r backends.Request) (backends.Grant, error) {
		return f(ctx, r, inner.TryAcquire)
	}
}

type call = func(context.Context, backends.Request) (backends.Grant, error)

// tokens changes the tokens that holders see.
func (h *hooks) tokens(f func(uint64) uint64) {
	h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
		g, err := call(ctx, r)
		if err == nil {
			g.Token = f(g.Token)
		}
		return g, err
	})
	h.release = func(ctx context.Context, g backends.Grant) error {
		g.Token = f(g.Token)
		return h.Backend.Release(ctx, g)
	}
}

// eachRenewal changes the answers of Renew.
func (h *hooks) eachRenewal(f func(rn backends.Renewal, a *backends.Renewed)) {
	h.renew = func(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
		answers := h.Backend.Renew(ctx, rs)
		for i := range answers {
			f(rs[i], &answers[i])
		}
		return answers
	}
}
