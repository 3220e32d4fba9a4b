package backendtest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// mutantsOfAtLeast have faults in how long permits stay taken.
var mutantsOfAtLeast = []mutant{
	{
		name: "a grant is never kept",
		found: []string{
			"AtLeast/StaysTaken", "AtLeast/EndsByItself", "AtLeast/OutlivesItsClient", "AtLeast/OnlyItsPermits",
			"AtLeast/SeveralNames", "Crash/KeepsAtLeast", "Input/InvalidRequests",
		},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) { r.AtLeast = 0 })
			h.eachGrant(func(r backends.Request, g *backends.Grant) { g.AtLeast = r.AtLeast })
		},
	},
	{
		name:   "a release frees at once",
		found:  []string{"AtLeast/StaysTaken", "AtLeast/EndsByItself", "AtLeast/OnlyItsPermits", "AtLeast/SeveralNames"},
		change: func(h *hooks) { h.eachReleaseAtLeast(0) },
	},
	{
		name:   "a grant is kept although it was not used",
		found:  []string{"AtLeast/UnusedIsFree"},
		change: func(h *hooks) { h.eachReleaseAtLeast(1) },
	},
	{
		name:  "a kept grant never ends",
		found: []string{"AtLeast/EndsByItself", "AtLeast/CountsFromTheGrant", "Crash/KeepsAtLeast"},
		change: func(h *hooks) {
			h.changeAtLeast(func(r *backends.Request) { r.AtLeast = backends.MaxAtLeast })
		},
	},
	{
		name:  "a kept grant ends too early",
		found: []string{"AtLeast/EndsByItself", "Crash/KeepsAtLeast"},
		change: func(h *hooks) {
			h.changeAtLeast(func(r *backends.Request) { r.AtLeast /= 2 })
		},
		byChance: true, // not while the machine stands still
	},
	{
		name:  "the end of the time to live ends a kept grant",
		found: []string{"Expiry/KeepsAtLeast"},
		expiring: func(b *expiring) {
			b.unkept = true
		},
	},
	{
		name:  "a kept grant is renewed",
		found: []string{"AtLeast/StaysTaken"},
		change: func(h *hooks) {
			h.eachRenewal(func(_ backends.Renewal, a *backends.Renewed) {
				if errors.Is(a.Err, backends.ErrLost) {
					a.Err = nil
				}
			})
		},
	},
	{
		name:  "kept grants are not shown",
		found: []string{"AtLeast/StaysTaken", "AtLeast/OutlivesItsClient"},
		change: func(h *hooks) {
			h.OnInspect = func(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
				state, err := inspect(ctx, name)
				for i := range state.Holders {
					state.Holders[i].Kept = 0
				}
				return state, err
			}
		},
	},
	{
		name:  "Break spares what is kept",
		found: []string{"AtLeast/Break"},
		change: func(h *hooks) {
			h.OnBreak = func(ctx context.Context, name string, breaks intercept.Break) error {
				state, err := h.Inspect(ctx, name)
				for _, holder := range state.Holders {
					if holder.Kept > 0 {
						return nil
					}
				}
				return errors.Join(err, breaks(ctx, name))
			}
		},
	},
}

// changeAtLeast changes the requests that have an AtLeast; their grants do not tell.
func (h *hooks) changeAtLeast(f func(r *backends.Request)) {
	h.eachRequest(func(r *backends.Request) {
		if r.AtLeast > 0 && r.Check(h.Capabilities()) == nil {
			f(r)
		}
	})
	h.eachGrant(func(r backends.Request, g *backends.Grant) { g.AtLeast = r.AtLeast })
}

// eachReleaseAtLeast changes what releases say of the grants' AtLeast.
func (h *hooks) eachReleaseAtLeast(d time.Duration) {
	h.eachStart(func(op *backends.Op, start start) backends.Work {
		op.Release = slices.Clone(op.Release)
		for i := range op.Release {
			op.Release[i].AtLeast = d
		}
		return start(op)
	})
}
