package backendtest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// mutantsOfDetach have faults in how a grant passes from client to client.
var mutantsOfDetach = []mutant{
	{
		name:  "a detachment releases",
		found: []string{"Detach/GoesOn", "Detach/EveryKind", "Detach/OldClientIsOut", "Detach/Shown", "Crash/SparesDetached"},
		change: func(h *hooks) {
			h.OnDetach = func(ctx context.Context, d backends.Detachment, _ intercept.Detach) error {
				return backends.Release(ctx, h, d.Grant)
			}
		},
	},
	{
		name:  "an adoption releases, and acquires anew",
		found: []string{"Detach/GoesOn", "Detach/Tokens"},
		change: func(h *hooks) {
			h.eachAdopted(func(ctx context.Context, g backends.Grant) (backends.Grant, error) {
				err := backends.Release(ctx, h, g)
				r := backends.Request{Resource: g.Resource, Weight: g.Weight, Tokens: 1}
				n, again := backends.Acquire(ctx, h, r)
				return n, errors.Join(err, again)
			})
		},
	},
	{
		name:   "an adoption does nothing",
		found:  []string{"Detach/OldClientIsOut", "Detach/EveryKind", "Detach/Again"},
		change: func(h *hooks) { h.OnAdopt = adoptNothing },
	},
	{
		name:  "the old client keeps it",
		found: []string{"Detach/OldClientIsOut", "Detach/Again", "Crash/SparesDetached"},
		change: func(h *hooks) {
			h.OnDetach = func(context.Context, backends.Detachment, intercept.Detach) error { return nil }
			h.OnAdopt = adoptNothing
		},
	},
	{
		name:   "a ticket is used twice",
		found:  []string{"Detach/UsedOnce", "Detach/Racing"},
		change: func(h *hooks) { h.forgeAdopted(func(a backends.Adoption) bool { return a.Proof != backends.Proof{} }) },
	},
	{
		name:   "no proof is wanted",
		found:  []string{"Detach/Forged", "Detach/Again"},
		change: func(h *hooks) { h.forgeAdopted(func(backends.Adoption) bool { return true }) },
	},
	{
		name:  "whoever holds is asked for nothing",
		found: []string{"Detach/Break", "Detach/EndsByItself", "Detach/UsedOnce"},
		change: func(h *hooks) {
			h.forgeAdopted(func(a backends.Adoption) bool {
				state, err := h.Inspect(context.Background(), a.Name)
				return err == nil && !slices.ContainsFunc(state.Holders, func(o backends.Holder) bool { return o.Detached })
			})
		},
	},
	{
		name:  "a detached grant never ends",
		found: []string{"Detach/EndsByItself"},
		change: func(h *hooks) {
			h.eachDetachment(func(d *backends.Detachment) { d.TTL = backends.MaxTTL })
		},
	},
	{
		name:  "a detached grant ends at once",
		found: []string{"Detach/EndsByItself"},
		change: func(h *hooks) {
			h.eachDetachment(func(d *backends.Detachment) { d.TTL = backends.MinTTL })
		},
		ttl: 2 * time.Second,
	},
	{
		name:  "the first token stays",
		found: []string{"Detach/Tokens"},
		change: func(h *hooks) {
			h.eachDetachment(func(d *backends.Detachment) { d.Token = d.Grant.Token })
		},
	},
	{
		name:  "Break spares what is detached",
		found: []string{"Detach/Break"},
		change: func(h *hooks) {
			h.OnBreak = func(ctx context.Context, name string, breaks intercept.Break) error {
				state, err := h.Inspect(ctx, name)
				for _, holder := range state.Holders {
					if holder.Detached {
						return nil
					}
				}
				return errors.Join(err, breaks(ctx, name))
			}
		},
	},
	{
		name:  "the adopter is told nothing",
		found: []string{"Detach/AdopterIsToldOfOthers"},
		change: func(h *hooks) {
			h.OnAdopt = func(ctx context.Context, a backends.Adoption, adopt intercept.Adopt) (backends.Grant, error) {
				a.Notify = nil
				return adopt(ctx, a)
			}
		},
	},
	{
		name:  "what was to stay taken is free with the adopter's release",
		found: []string{"Detach/AtLeast"},
		change: func(h *hooks) {
			h.eachReleaseAtLeast(0)
		},
	},
	{
		name:  "a ticket is good while its permits stay taken",
		found: []string{"Detach/AtLeast"},
		change: func(h *hooks) {
			h.eachDetachment(func(d *backends.Detachment) { d.TTL = max(d.TTL, min(d.Grant.AtLeast, backends.MaxTTL)) })
		},
	},
	{
		name:  "any detachment and adoption will do",
		found: []string{"Detach/Input"},
		change: func(h *hooks) {
			h.OnDetach = func(ctx context.Context, d backends.Detachment, detach intercept.Detach) error {
				if err := detach(ctx, d); err != nil && !errors.Is(err, backends.ErrInvalid) {
					return err
				}
				return nil
			}
		},
	},
	{
		name:  "a detachment of what has ended succeeds",
		found: []string{"Detach/Ended"},
		change: func(h *hooks) {
			h.OnDetach = func(ctx context.Context, d backends.Detachment, detach intercept.Detach) error {
				if err := detach(ctx, d); err != nil && !errors.Is(err, backends.ErrLost) {
					return err
				}
				return nil
			}
		},
	},
	{
		name:     "an adopter's validity counts from the answer",
		found:    []string{"Expiry/AdoptedFromBeforeTheRequest"},
		expiring: func(b *expiring) { b.late = true },
	},
}

// adoptNothing says that a grant is adopted that stays as it is.
func adoptNothing(_ context.Context, a backends.Adoption, _ intercept.Adopt) (backends.Grant, error) {
	return forged(a.Request), nil
}

// eachAdopted changes what an adoption brings.
func (h *hooks) eachAdopted(f func(context.Context, backends.Grant) (backends.Grant, error)) {
	h.OnAdopt = func(ctx context.Context, a backends.Adoption, adopt intercept.Adopt) (backends.Grant, error) {
		g, err := adopt(ctx, a)
		if err == nil {
			g, err = f(ctx, g)
		}
		return g, err
	}
}

// forgeAdopted has adoptions succeed that the store refuses, if f says so.
func (h *hooks) forgeAdopted(f func(backends.Adoption) bool) {
	h.OnAdopt = func(ctx context.Context, a backends.Adoption, adopt intercept.Adopt) (backends.Grant, error) {
		g, err := adopt(ctx, a)
		if errors.Is(err, backends.ErrTicket) && f(a) {
			return forged(a.Request), nil
		}
		return g, err
	}
}

// eachDetachment changes what is asked of the store.
func (h *hooks) eachDetachment(f func(d *backends.Detachment)) {
	h.OnDetach = func(ctx context.Context, d backends.Detachment, detach intercept.Detach) error {
		if d.Check() == nil {
			f(&d)
		}
		return detach(ctx, d)
	}
}
