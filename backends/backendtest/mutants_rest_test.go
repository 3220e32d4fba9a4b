package backendtest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// buried is the Notify of a client that was closed.
var buried atomic.Pointer[func(backends.Event)]

// mutantsOfTheRest have faults in what comes after a grant, and in what is said about it.
var mutantsOfTheRest = []mutant{
	{
		name:  "a release frees whoever holds",
		found: []string{"Release/IsIdempotent", "Release/StaleSparesSuccessor", "Release/MadeUpGrant"},
		change: func(h *hooks) {
			h.release = func(ctx context.Context, g backends.Grant) error {
				state, err := h.Backend.Inspect(ctx, g.Resource.Name)
				if err == nil && len(state.Holders) > 0 {
					g.ID, g.Token = state.Holders[0].ID, state.Holders[0].Token
				}
				return h.Backend.Release(ctx, g)
			}
		},
	},
	{
		name:  "a release with an ended context fails and frees twice",
		found: []string{"Release/EndedContext"},
		change: func(h *hooks) {
			h.release = func(ctx context.Context, g backends.Grant) error {
				if ctx.Err() != nil {
					return backends.ErrBusy
				}
				return h.Backend.Release(ctx, g)
			}
		},
	},
	{
		name:  "nobody is told anything",
		found: []string{"Events/Contended"},
		change: func(h *hooks) {
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				r.Notify = nil
				return call(ctx, r)
			})
		},
	},
	{
		name:  "one's own waiters count as contention",
		found: []string{"Events/ContendedGrant", "Events/NoneWithoutCause", "Renew/WithoutTokens"},
		change: func(h *hooks) {
			h.eachRenewal(func(_ backends.Renewal, a *backends.Renewed) { a.Contended = true })
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				g, err := call(ctx, r)
				if err == nil && r.Notify != nil {
					r.Notify(backends.Event{Grant: g.ID, Type: backends.Contended})
				}
				return g, err
			})
		},
	},
	{
		name:  "no grant has waited",
		found: []string{"Queue/GrantSaysWhetherItWaited"},
		change: func(h *hooks) {
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				g, err := call(ctx, r)
				g.Waited = false
				return g, err
			})
		},
	},
	{
		name:  "every grant has waited",
		found: []string{"Queue/GrantSaysWhetherItWaited"},
		change: func(h *hooks) {
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				g, err := call(ctx, r)
				g.Waited = true
				return g, err
			})
		},
	},
	{
		name:  "events go on after Close",
		found: []string{"Close/NoEventsAfter"},
		change: func(h *hooks) {
			var notify func(backends.Event)
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				if r.Notify != nil {
					notify = r.Notify
				}
				return call(ctx, r)
			})
			h.close = func(ctx context.Context) error {
				if notify != nil {
					buried.Store(&notify)
				}
				return h.Backend.Close(ctx)
			}
			h.inspect = func(ctx context.Context, name string) (backends.State, error) {
				if f := buried.Swap(nil); f != nil {
					(*f)(backends.Event{Type: backends.Contended})
				}
				return h.Backend.Inspect(ctx, name)
			}
		},
	},
	{
		name:  "any request will do",
		found: []string{"Input/InvalidRequests"},
		change: func(h *hooks) {
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				g, err := call(ctx, r)
				if errors.Is(err, backends.ErrInvalid) {
					return forged(r), nil
				}
				return g, err
			})
		},
	},
	{
		name:  "a nil context is taken for one without end",
		found: []string{"Input/NilContexts"},
		change: func(h *hooks) {
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				if ctx == nil {
					ctx = context.Background()
				}
				return call(ctx, r)
			})
		},
	},
	{
		name:  "names lose their last bytes",
		found: []string{"Input/NamesAreInjective"},
		change: func(h *hooks) {
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				if len(r.Name) > 255 && len(r.Name) <= backends.MaxName {
					r.Name = r.Name[:255]
				}
				return call(ctx, r)
			})
		},
	},
	{
		name:  "owners are cleaned up",
		found: []string{"Input/OwnersAreText"},
		change: func(h *hooks) {
			h.eachRequest(func(ctx context.Context, r backends.Request, call call) (backends.Grant, error) {
				r.Owner.Label = strings.ToValidUTF8(r.Owner.Label, "?")
				return call(ctx, r)
			})
		},
	},
	{
		name:  "the queue is shown from its end",
		found: []string{"Inspect/HoldersAndWaiters"},
		change: func(h *hooks) {
			h.inspect = func(ctx context.Context, name string) (backends.State, error) {
				state, err := h.Backend.Inspect(ctx, name)
				slices.Reverse(state.Waiters)
				return state, err
			}
		},
	},
	{
		name:  "what was used once is shown for ever",
		found: []string{"Inspect/Unused", "NothingLeftBehind", "Cancel/DoneContextLoses"},
		change: func(h *hooks) {
			h.inspect = func(ctx context.Context, name string) (backends.State, error) {
				state, err := h.Backend.Inspect(ctx, name)
				if err == nil && len(state.Holders) == 0 {
					state.Resource.Kind = backends.Mutex
					state.Holders = []backends.Holder{{}}
				}
				return state, err
			}
			h.list = func(context.Context) iter.Seq2[backends.State, error] {
				return func(yield func(backends.State, error) bool) { yield(backends.State{}, nil) }
			}
		},
	},
	{
		name:  "List shows nothing",
		found: []string{"List/WhatIsInUse", "Input/NamesAreInjective"},
		change: func(h *hooks) {
			h.list = func(context.Context) iter.Seq2[backends.State, error] {
				return func(func(backends.State, error) bool) {}
			}
		},
	},
	{
		name:   "Break does nothing",
		found:  []string{"Break/EndsGrants", "Break/TellsHolders"},
		change: func(h *hooks) { h.breakIt = func(context.Context, string) error { return nil } },
	},
	{
		name:  "Break wants a holder",
		found: []string{"Break/Unused"},
		change: func(h *hooks) {
			h.breakIt = func(ctx context.Context, name string) error {
				if state, err := h.Backend.Inspect(ctx, name); err != nil || len(state.Holders) == 0 {
					return backends.ErrReleased
				}
				return h.Backend.Break(ctx, name)
			}
		},
	},
	{
		name: "Close does nothing",
		found: []string{
			"Close/ReleasesAndWakes", "Close/UseAfter", "Close/SparesOthers", "Close/Racing", "Crash/Holder", "Crash/Waiter",
			"Tokens/Increase", "Close/NoEventsAfter",
		},
		change: func(h *hooks) {
			h.close = func(context.Context) error { return nil }
		},
	},
	{name: "a store out of reach is called busy", found: []string{"CutOff/IsUnavailable"}, change: func(*hooks) {}, cutOff: backends.ErrBusy},
	{
		name:     "grants do not expire",
		found:    []string{"Expiry/FreesWhatIsNotRenewed", "Expiry/Idle", "Expiry/LateRenewalDoesNotRevive", "Expiry/RenewalProlongs"},
		expiring: func(b *expiring) { b.sticky = true },
	},
	{
		name:     "grants expire too early",
		found:    []string{"Expiry/FreesWhatIsNotRenewed", "Expiry/Idle"},
		expiring: func(b *expiring) { b.early = true },
		ttl:      time.Hour,
	},
	{
		name:     "validity counts from the answer",
		found:    []string{"Expiry/FromBeforeTheRequest", "Expiry/FreesWhatIsNotRenewed"},
		expiring: func(b *expiring) { b.late = true },
	},
	{
		name:     "a grant is briefer than is of use",
		found:    []string{"Expiry/BriefAtFirst"},
		expiring: func(b *expiring) { b.brief = true },
	},
	{
		name:     "renewals do not prolong",
		found:    []string{"Expiry/RenewalProlongs"},
		expiring: func(b *expiring) { b.forget = true },
		ttl:      2 * time.Second,
	},
	{
		name:     "an expired grant is renewed",
		found:    []string{"Expiry/LateRenewalDoesNotRevive"},
		expiring: func(b *expiring) { b.revive = true },
	},
	{
		name:     "any time to live will do",
		found:    []string{"Input/InvalidTTL"},
		expiring: func(b *expiring) { b.lax = true },
	},
}
