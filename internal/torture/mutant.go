//go:build linux

package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// Mutant is a seeded bug: a plausible mistake, made at the door between manager and store, where it
// survives any rewording of either.
type Mutant struct {
	Name  string
	Store string // that the run is over
	Found string // the check that must find it

	quick bool     // found within seconds
	needs []string // faults without which it does no harm; empty: any

	change func(h *intercept.Backend, c Config)
}

// Mutants returns all seeded bugs.
func Mutants() []Mutant { return slices.Clone(mutants) }

var mutants = []Mutant{
	{
		Name: "validity counts from the answer", Store: "redis", Found: "validity",
		needs: []string{"fading-link", "late-link"},
		change: func(h *intercept.Backend, c Config) {
			h.OnGranted = func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
				g.ValidUntil = backends.ValidUntil(time.Now(), r.TTL)
				return g, err
			}
			h.OnRenew = eachRenewed(func(r backends.Renewal, a *backends.Renewed) {
				a.ValidUntil = backends.ValidUntil(time.Now(), r.TTL)
			})
		},
	},
	{
		Name: "a renewal brings back a grant that is lost", Store: "redis", Found: "exclusion",
		needs: []string{"flushall", "restart-empty"},
		change: func(h *intercept.Backend, _ Config) {
			h.OnRenew = eachRenewed(func(r backends.Renewal, a *backends.Renewed) {
				if errors.Is(a.Err, backends.ErrLost) {
					*a = backends.Renewed{ValidUntil: backends.ValidUntil(time.Now(), r.TTL), Token: r.Grant.Token + 1, Tokens: r.Tokens}
				}
			})
		},
	},
	{
		Name: "a renewal that has no answer counts as done", Store: "redis", Found: "exclusion",
		needs: []string{"black-hole"},
		change: func(h *intercept.Backend, _ Config) {
			h.OnRenew = eachRenewed(func(r backends.Renewal, a *backends.Renewed) {
				if a.Err != nil && !errors.Is(a.Err, backends.ErrLost) {
					*a = backends.Renewed{ValidUntil: backends.ValidUntil(time.Now(), r.TTL), Token: r.Grant.Token + 1, Tokens: r.Tokens}
				}
			})
		},
	},
	{
		Name: "the store is told half of the time to live", Store: "redis", Found: "exclusion",
		change: func(h *intercept.Backend, _ Config) {
			half := func(until time.Time, ttl time.Duration) time.Time { return until.Add(ttl / 2) }
			eachRequest(h, func(r *backends.Request) { r.TTL, r.MinValid = r.TTL/2, r.MinValid/2 })
			h.OnGranted = func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
				g.ValidUntil = half(g.ValidUntil, r.TTL)
				return g, err
			}
			h.OnRenew = func(ctx context.Context, rs []backends.Renewal, renew intercept.Renew) []backends.Renewed {
				rs = slices.Clone(rs)
				for i := range rs {
					rs[i].TTL /= 2
				}
				all := renew(ctx, rs)
				for i := range all {
					all[i].ValidUntil = half(all[i].ValidUntil, 2*rs[i].TTL)
				}
				return all
			}
		},
	},
	{
		Name: "a release goes by the client and the name", Store: "file", Found: "exclusion",
		change: func(h *intercept.Backend, _ Config) { new(byClient).install(h) },
	},
	{
		Name: "tokens are counted by each client", Store: "redis", Found: "tokens", quick: true,
		change: func(h *intercept.Backend, _ Config) {
			var last atomic.Uint64
			h.OnGranted = func(_ backends.Request, g backends.Grant, err error) (backends.Grant, error) {
				g.Token = last.Add(uint64(g.Tokens)) - uint64(g.Tokens) + 1
				return g, err
			}
		},
	},
	{
		Name: "a writer enters as a reader", Store: "redis", Found: "exclusion",
		change: func(h *intercept.Backend, _ Config) {
			eachRequest(h, func(r *backends.Request) {
				if r.Kind == backends.ReadWrite {
					r.Weight, r.Tokens = 1, 1
				}
			})
			h.OnGranted = func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
				g.Weight = r.Weight
				return g, err
			}
		},
	},
	{
		Name: "some permits count as one", Store: "file", Found: "exclusion", quick: true,
		change: func(h *intercept.Backend, _ Config) {
			eachRequest(h, func(r *backends.Request) {
				if r.Kind == backends.Semaphore {
					r.Weight, r.Tokens = 1, 1
				}
			})
			h.OnGranted = func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
				g.Weight = r.Weight
				return g, err
			}
		},
	},
	{
		Name: "a cancelled request stays in the queue", Store: "file", Found: "progress",
		change: func(h *intercept.Backend, _ Config) {
			h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
				answered, granted := make([]atomic.Bool, len(op.Acquire)), op.Granted
				op.Granted = func(i int, g backends.Grant, err error) {
					if !answered[i].Swap(true) {
						granted(i, g, err)
					}
				}
				return start(op)
			}
			h.OnCancel = func(op *backends.Op, _ intercept.Start) backends.Work {
				op.Fail(context.Canceled)
				return nil
			}
		},
	},
	{
		Name: "some releases are not sent", Store: "file", Found: "progress",
		change: func(h *intercept.Backend, _ Config) {
			h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
				if len(op.Release) > 0 && rand.IntN(20) == 0 {
					for i := range op.Release {
						op.Released(i, nil)
					}
					op.Release = nil
				}
				return start(op)
			}
		},
	},
	{
		Name: "a try is refused though the name is free", Store: "file", Found: "linear",
		change: func(h *intercept.Backend, _ Config) {
			h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
				if len(op.Acquire) == 0 || op.Wait || rand.IntN(3) > 0 {
					return start(op)
				}
				op.Fail(backends.ErrBusy)
				op.Acquire = nil
				return start(op)
			}
		},
	},
	{
		Name: "a minimum hold is forgotten", Store: "redis", Found: "least",
		change: func(h *intercept.Backend, _ Config) {
			eachRequest(h, func(r *backends.Request) { r.AtLeast = 0 })
			request := h.OnStart
			h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
				op.Release = slices.Clone(op.Release)
				for i := range op.Release {
					op.Release[i].AtLeast = 0
				}
				return request(op, start)
			}
		},
	},
	{
		Name: "the end of a client leaves its connections", Store: "redis", Found: "left",
		change: func(h *intercept.Backend, _ Config) {
			h.OnClose = func(context.Context, intercept.Close) error { return nil }
		},
	},
	{
		Name: "a wake-up is lost now and then", Store: "redis", Found: "wake-up",
		change: func(h *intercept.Backend, c Config) {
			h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
				granted := op.Granted
				op.Granted = func(i int, g backends.Grant, err error) {
					if err != nil || !g.Waited || rand.IntN(2) > 0 {
						granted(i, g, err)
						return
					}
					time.AfterFunc(c.Heartbeat, func() { granted(i, g, err) })
				}
				return start(op)
			}
		},
	},
	{
		Name: "the waker forgets a waiter", Store: "file", Found: "progress",
		change: func(h *intercept.Backend, _ Config) { new(forgetful).install(h) },
	},
	{
		Name: "a name is handed on under a lease that is over", Store: "redis", Found: "exclusion",
		needs:  []string{"long-stop", "black-hole"},
		change: func(h *intercept.Backend, _ Config) { new(handsOn).install(h) },
	},
	{
		Name: "some requests are sent later than others after them", Store: "redis", Found: "order",
		change: func(h *intercept.Backend, _ Config) {
			h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
				if !op.Wait || len(op.Acquire) != 1 || len(op.Release) > 0 || rand.IntN(10) > 0 {
					return start(op)
				}
				time.AfterFunc(30*time.Millisecond, func() {
					if work := start(op); work != nil {
						work(context.Background())
					}
				})
				return nil
			}
		},
	},
	{
		Name: "several names are requested one by one", Store: "file", Found: "order",
		change: func(h *intercept.Backend, _ Config) { new(oneByOne).install(h) },
	},
}

// seed returns the store's client with the seeded bug of that name; none if the name is empty.
func seed(b backends.Backend, c Config) backends.Backend {
	i := slices.IndexFunc(mutants, func(m Mutant) bool { return m.Name == c.Mutant })
	if i < 0 || mutants[i].change == nil {
		return b
	}
	h := &intercept.Backend{Backend: b}
	mutants[i].change(h, c)
	return h
}

// eachRequest changes what is asked of the store.
func eachRequest(h *intercept.Backend, f func(r *backends.Request)) {
	h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
		op.Acquire = slices.Clone(op.Acquire)
		for i := range op.Acquire {
			f(&op.Acquire[i])
		}
		return start(op)
	}
}

// eachRenewed changes the answers to renewals.
func eachRenewed(f func(r backends.Renewal, a *backends.Renewed)) func(context.Context, []backends.Renewal, intercept.Renew) []backends.Renewed {
	return func(ctx context.Context, rs []backends.Renewal, renew intercept.Renew) []backends.Renewed {
		all := renew(ctx, rs)
		for i := range all {
			f(rs[i], &all[i])
		}
		return all
	}
}
