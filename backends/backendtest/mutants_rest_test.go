package backendtest_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// buried is the Notify of a client that was closed.
var buried atomic.Pointer[func(backends.Event)]

// mutantsOfTheRest have faults in what comes after a grant, and in what is said about it.
var mutantsOfTheRest = []mutant{
	{
		name:  "a release frees whoever holds",
		found: []string{"Release/IsIdempotent", "Release/StaleSparesSuccessor", "Release/MadeUpGrant"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				op.Release = slices.Clone(op.Release)
				for i := range op.Release {
					g := &op.Release[i]
					state, err := h.Inspect(context.Background(), g.Resource.Name)
					if err == nil && len(state.Holders) > 0 {
						g.ID, g.Token = state.Holders[0].ID, state.Holders[0].Token
					}
				}
				return start(op)
			})
		},
	},
	{
		name:  "nobody is told anything",
		found: []string{"Events/Contended", "Events/Tried"},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) { r.Notify = nil })
		},
	},
	{
		name:  "tries are not told",
		found: []string{"Events/Tried", "Several/TryTouchesNobody"},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) { r.Tries = false })
		},
	},
	{
		name:   "tries are told to everybody",
		found:  []string{"Events/Tried", "Several/TryTouchesNobody"},
		change: func(h *hooks) { h.eachRequest(func(r *backends.Request) { r.Tries = true }) },
	},
	{
		name:  "one's own waiters count as contention",
		found: []string{"Events/ContendedGrant", "Events/NoneWithoutCause", "Renew/WithoutTokens"},
		change: func(h *hooks) {
			h.eachRenewal(func(_ backends.Renewal, a *backends.Renewed) { a.Contended = true })
			h.eachGrant(func(r backends.Request, g *backends.Grant) {
				if r.Notify != nil {
					r.Notify(backends.Event{Grant: g.ID, Type: backends.Contended})
				}
			})
		},
	},
	{
		name:  "no grant has waited",
		found: []string{"Queue/GrantSaysWhetherItWaited", "Several/GrantedOneByOne"},
		change: func(h *hooks) {
			h.eachGrant(func(_ backends.Request, g *backends.Grant) { g.Waited = false })
		},
	},
	{
		name:  "every grant has waited",
		found: []string{"Queue/GrantSaysWhetherItWaited", "Several/FreeAtOnce"},
		change: func(h *hooks) {
			h.eachGrant(func(_ backends.Request, g *backends.Grant) { g.Waited = true })
		},
	},
	{
		name:  "events go on after Close",
		found: []string{"Close/NoEventsAfter"},
		change: func(h *hooks) {
			var notify func(backends.Event)
			h.eachRequest(func(r *backends.Request) {
				if r.Notify != nil {
					notify = r.Notify
				}
			})
			h.OnClose = func(ctx context.Context, closes intercept.Close) error {
				if notify != nil {
					buried.Store(&notify)
				}
				return closes(ctx)
			}
			h.OnInspect = func(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
				if f := buried.Swap(nil); f != nil {
					(*f)(backends.Event{Type: backends.Contended})
				}
				return inspect(ctx, name)
			}
		},
	},
	{
		name:   "any request will do",
		found:  []string{"Input/InvalidRequests", "Several/SameNameTwice"},
		change: func(h *hooks) { h.forge(backends.ErrInvalid) },
	},
	{
		name:  "a nil context is taken for one without end",
		found: []string{"Input/NilContexts"},
		change: func(h *hooks) {
			h.OnInspect = func(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
				if ctx == nil {
					ctx = context.Background()
				}
				return inspect(ctx, name)
			}
		},
	},
	{
		name:  "names lose their last bytes",
		found: []string{"Input/NamesAreInjective"},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) {
				if len(r.Name) > 255 && len(r.Name) <= backends.MaxName {
					r.Name = r.Name[:255]
				}
			})
		},
	},
	{
		name:  "owners are cleaned up",
		found: []string{"Input/OwnersAreText"},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) { r.Owner.Label = strings.ToValidUTF8(r.Owner.Label, "?") })
		},
	},
	{
		name:  "the queue is shown from its end",
		found: []string{"Inspect/HoldersAndWaiters"},
		change: func(h *hooks) {
			h.OnInspect = func(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
				state, err := inspect(ctx, name)
				slices.Reverse(state.Waiters)
				return state, err
			}
		},
	},
	{
		name:  "what was used once is shown for ever",
		found: []string{"Inspect/Unused", "NothingLeftBehind"},
		change: func(h *hooks) {
			h.OnInspect = func(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
				state, err := inspect(ctx, name)
				if err == nil && len(state.Holders) == 0 {
					state.Resource.Kind = backends.Mutex
					state.Holders = []backends.Holder{{}}
				}
				return state, err
			}
			h.OnList = func(context.Context, intercept.List) iter.Seq2[backends.State, error] {
				return func(yield func(backends.State, error) bool) { yield(backends.State{}, nil) }
			}
		},
	},
	{
		name:  "List shows nothing",
		found: []string{"List/WhatIsInUse", "Input/NamesAreInjective"},
		change: func(h *hooks) {
			h.OnList = func(context.Context, intercept.List) iter.Seq2[backends.State, error] {
				return func(func(backends.State, error) bool) {}
			}
		},
	},
	{
		name:  "busy is all that a try is told",
		found: []string{"Busy/NamesTheHolder", "Busy/NamesWhoHoldsNow", "Busy/NamesTheBusyName"},
		change: func(h *hooks) {
			h.refusals(func(*backends.BusyError) error { return backends.ErrBusy })
		},
	},
	{
		name:  "a try is told of another name",
		found: []string{"Busy/NamesTheHolder", "Busy/NamesTheBusyName"},
		change: func(h *hooks) {
			h.refusals(func(e *backends.BusyError) error {
				return &backends.BusyError{Name: e.Name + "?", Holder: e.Holder}
			})
		},
	},
	{
		name:  "the first holder of a name is told for ever",
		found: []string{"Busy/NamesWhoHoldsNow"},
		change: func(h *hooks) {
			var first sync.Map
			h.refusals(func(e *backends.BusyError) error {
				v, _ := first.LoadOrStore(e.Name, e.Holder)
				return &backends.BusyError{Name: e.Name, Holder: v.(backends.Holder)}
			})
		},
	},
	{
		name:   "Break does nothing",
		found:  []string{"Break/EndsGrants", "Break/TellsHolders"},
		change: func(h *hooks) { h.OnBreak = func(context.Context, string, intercept.Break) error { return nil } },
	},
	{
		name:  "Break wants a holder",
		found: []string{"Break/Unused"},
		change: func(h *hooks) {
			h.OnBreak = func(ctx context.Context, name string, breaks intercept.Break) error {
				if state, err := h.Inspect(ctx, name); err != nil || len(state.Holders) == 0 {
					return backends.ErrReleased
				}
				return breaks(ctx, name)
			}
		},
	},
	{
		name: "Close does nothing",
		found: []string{
			"Close/ReleasesAndWakes", "Close/UseAfter", "Close/SparesOthers", "Close/Racing", "Crash/Holder", "Crash/Waiter",
			"Tokens/Increase", "Close/NoEventsAfter", "Several/Close",
		},
		change: func(h *hooks) {
			h.OnClose = func(context.Context, intercept.Close) error { return nil }
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
