package backendtest_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// hooks is a client of a store that can be changed in one way.
type hooks struct{ intercept.Backend }

type start = intercept.Start

// eachStart has f called in the place of Start.
func (h *hooks) eachStart(f func(op *backends.Op, start start) backends.Work) { h.OnStart = f }

// once has f called in the place of Start, with an op that drops every answer to a request but the
// first.
func (h *hooks) once(f func(op *backends.Op, start start) backends.Work) {
	h.OnStart = func(op *backends.Op, start start) backends.Work {
		answered, granted := make([]atomic.Bool, len(op.Acquire)), op.Granted
		op.Granted = func(i int, g backends.Grant, err error) {
			if !answered[i].Swap(true) {
				granted(i, g, err)
			}
		}
		return f(op, start)
	}
}

// eachRequest changes what is asked of the store.
func (h *hooks) eachRequest(f func(r *backends.Request)) {
	h.eachStart(func(op *backends.Op, start start) backends.Work {
		op.Acquire = slices.Clone(op.Acquire)
		for i := range op.Acquire {
			f(&op.Acquire[i])
		}
		return start(op)
	})
}

// eachGrant changes what is said of a grant.
func (h *hooks) eachGrant(f func(r backends.Request, g *backends.Grant)) {
	h.OnGranted = func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
		if err == nil {
			f(r, &g)
		}
		return g, err
	}
}

// forge grants what the store refuses with this error.
func (h *hooks) forge(refusal error) {
	h.OnGranted = func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
		if errors.Is(err, refusal) {
			return forged(r), nil
		}
		return g, err
	}
}

// refusals changes why a try is refused.
func (h *hooks) refusals(f func(e *backends.BusyError) error) {
	h.OnGranted = func(_ backends.Request, g backends.Grant, err error) (backends.Grant, error) {
		var e *backends.BusyError
		if errors.As(err, &e) {
			err = f(e)
		}
		return g, err
	}
}

// tokens changes the tokens that holders see.
func (h *hooks) tokens(f func(uint64) uint64) {
	h.eachGrant(func(_ backends.Request, g *backends.Grant) { g.Token = f(g.Token) })
	h.eachStart(func(op *backends.Op, start start) backends.Work {
		op.Release = slices.Clone(op.Release)
		for i := range op.Release {
			op.Release[i].Token = f(op.Release[i].Token)
		}
		return start(op)
	})
}

// eachRenewal changes the answers of Renew.
func (h *hooks) eachRenewal(f func(rn backends.Renewal, a *backends.Renewed)) {
	h.OnRenew = func(ctx context.Context, rs []backends.Renewal, renew intercept.Renew) []backends.Renewed {
		answers := renew(ctx, rs)
		for i := range answers {
			f(rs[i], &answers[i])
		}
		return answers
	}
}

// split starts each request of an operation as one of its own: the first with all releases, and the
// next when the one before is granted, or else at once.
func split(op *backends.Op, inTurn bool, start start) {
	part := func(i int) *backends.Op {
		return &backends.Op{Acquire: op.Acquire[i : i+1], Wait: op.Wait}
	}
	var next func(i int, release []backends.Grant)
	next = func(i int, release []backends.Grant) {
		p := part(i)
		p.Release, p.Released = release, op.Released
		p.Granted = func(_ int, g backends.Grant, err error) {
			op.Granted(i, g, err)
			if inTurn && i+1 < len(op.Acquire) {
				next(i+1, nil)
			}
		}
		start(p)
		if !inTurn && i+1 < len(op.Acquire) {
			next(i+1, nil)
		}
	}
	next(0, op.Release)
}
