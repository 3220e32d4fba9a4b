package backendtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// TestSeededFaultsAreFound breaks a store in one way at a time, and names the clauses that must find it.
func TestSeededFaultsAreFound(t *testing.T) {
	covered := make(map[string]bool)
	for _, m := range slices.Concat(mutantsOfGrants, mutantsOfTheRest, mutantsOfOperations, mutantsOfSeveral, mutantsOfAtLeast, mutantsOfDetach) {
		open := env(m.change)
		if m.expiring != nil {
			open = expiringEnv(m.expiring)
		}
		impatient := func(t testing.TB) backendtest.Env {
			e := open(t)
			e.Patience = 250 * time.Millisecond // the event never comes; a slow machine only finds more faults
			if m.ttl != 0 {
				e.TTL, e.Patience = m.ttl, time.Minute
			}
			if m.cutOff != nil {
				e.CutOff = func(_ testing.TB, b backends.Backend) func() { return b.(*hooks).cutOff(m.cutOff) }
			}
			return e
		}
		for _, name := range m.found {
			covered[name] = true
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting in vain
			for _, name := range m.found {
				i := slices.IndexFunc(backendtest.Clauses(), func(c backendtest.Clause) bool { return c.Name == name })
				if i < 0 {
					t.Fatalf("there is no clause %s", name)
				}
				c := backendtest.Clauses()[i]
				p := try(t, c, impatient)
				// A storm is random, and a fault in when a grant ends does not show while the machine stands still.
				byChance := m.expiring != nil || m.byChance || strings.HasPrefix(name, "Storm/")
				for begun := time.Now(); !p.failed && byChance && time.Since(begun) < 2*time.Minute; {
					p = try(t, c, impatient)
				}
				if !p.failed {
					t.Errorf("%s has not found it", name)
				} else if !strings.Contains(p.log.String(), c.Text) {
					t.Errorf("%s failed without its text:\n%s", name, p.log.String())
				}
			}
		})
	}
	for _, c := range backendtest.Clauses() {
		if !covered[c.Name] && !slices.Contains(withoutMutant, c.Name) {
			t.Errorf("no seeded fault shows that %s can fail", c.Name)
		}
	}
}

// withoutMutant are clauses that no fault here breaks.
var withoutMutant = []string{
	"Break/Unsupported",  // needs a store without the capability
	"Detach/Unsupported", // the same
}

type mutant struct {
	name     string
	found    []string // by these clauses
	change   func(h *hooks)
	expiring func(b *expiring)
	ttl      time.Duration // for a fault of timing: long enough to show on a slow machine
	cutOff   error
	byChance bool // shows in some runs only
}

// forged is what a store says that grants what it does not have.
func forged(r backends.Request) backends.Grant {
	return backends.Grant{
		ID: backends.GrantID{Client: 1, Seq: fakeSeq.Add(1)}, Resource: r.Resource, Weight: r.Weight, Token: 1 << 60, Tokens: r.Tokens,
	}
}

var fakeSeq atomic.Uint64

// mutantsOfGrants have faults in who is granted, when, and with which tokens.
var mutantsOfGrants = []mutant{
	{
		name: "grants although it is busy",
		found: []string{
			"Exclusion/Mutex", "Exclusion/ReadWrite", "Exclusion/Semaphore", "Exclusion/LargestCapacity",
			"Queue/TryNeverOvertakes", "Storm/Cancelling", "Storm/Linearizable", "Storm/Operations",
		},
		change: func(h *hooks) { h.forge(backends.ErrBusy) },
	},
	{
		name:  "one lock for all names",
		found: []string{"Exclusion/NamesAreIndependent", "Input/NamesAreInjective", "List/EndsEarly", "Renew/Batch"},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) {
				if r.Check(h.Capabilities()) == nil {
					r.Name = "all"
				}
			})
		},
	},
	{
		name:  "refuses although it is free",
		found: []string{"Storm/Linearizable"},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Acquire) == 1 && !op.Wait {
					state, err := h.Inspect(context.Background(), op.Acquire[0].Name)
					if err == nil && len(state.Waiters) == 0 && len(state.Holders) > 0 {
						op.Fail(backends.ErrBusy) // readers and permits as well
						return nil
					}
				}
				return start(op)
			})
		},
	},
	{
		name:   "the first kind and capacity are ignored",
		found:  []string{"Mismatch", "Several/Mismatch", "Operation/Refused"},
		change: func(h *hooks) { h.forge(backends.ErrMismatch) },
	},
	{
		name: "waiters poll instead of queueing",
		found: []string{
			"Queue/FIFO", "Queue/TryNeverOvertakes", "Queue/HeavyHeadIsNotStarved", "Queue/ReadersEnterTogether",
			"Queue/WriterIsNotStarved", "Queue/MovesUpAsFarAsItFits", "Inspect/HoldersAndWaiters", "List/WhatIsInUse",
			"Events/Contended", "Events/ContendedGrant", "Close/ReleasesAndWakes", "Close/SparesOthers",
		},
		change: func(h *hooks) {
			h.eachStart(func(op *backends.Op, start start) backends.Work {
				if len(op.Acquire) == 0 {
					return start(op)
				}
				return func(ctx context.Context) {
					for {
						g, err := backends.TryAcquire(ctx, h.Backend.Backend, op.Acquire[0])
						if !op.Wait || !errors.Is(err, backends.ErrBusy) {
							op.Granted(0, g, err)
							return
						}
					}
				}
			})
			h.OnCancel = func(*backends.Op, start) backends.Work { return nil }
		},
	},
	{
		name:   "tokens go down",
		found:  []string{"Tokens/Increase", "Tokens/SharedGrants", "Tokens/BlocksAreDisjoint", "Queue/FIFO", "Storm/Cancelling", "Storm/Linearizable", "Break/Unused", "Crash/Holder"},
		change: func(h *hooks) { h.tokens(func(token uint64) uint64 { return 1<<62 - token }) },
	},
	{
		name:  "a block is promised, one token is reserved",
		found: []string{"Tokens/BlocksAreDisjoint", "Tokens/FasterThanTheClock"},
		change: func(h *hooks) {
			h.eachRequest(func(r *backends.Request) { r.Tokens = min(r.Tokens, 1) })
			h.eachGrant(func(r backends.Request, g *backends.Grant) { g.Tokens = r.Tokens })
		},
	},
	{
		name:  "a renewal hands out old tokens",
		found: []string{"Renew/Refills", "Tokens/FasterThanTheClock", "Renew/WithoutTokens"},
		change: func(h *hooks) {
			h.eachRenewal(func(rn backends.Renewal, a *backends.Renewed) { a.Token = rn.Grant.Token })
		},
	},
	{
		name:  "a renewal brings back what has ended",
		found: []string{"Renew/NeverRevives", "Renew/Batch", "Break/EndsGrants", "Break/TellsHolders"},
		change: func(h *hooks) {
			h.eachRenewal(func(_ backends.Renewal, a *backends.Renewed) {
				if errors.Is(a.Err, backends.ErrLost) {
					a.Err = nil
				}
			})
		},
	},
	{
		name:  "renewals are answered in another order",
		found: []string{"Renew/Batch"},
		change: func(h *hooks) {
			h.OnRenew = func(ctx context.Context, rs []backends.Renewal, renew intercept.Renew) []backends.Renewed {
				answers := renew(ctx, rs)
				slices.Reverse(answers)
				return answers
			}
		},
	},
	{
		name:  "a renewal takes any input",
		found: []string{"Input/InvalidRenewals"},
		change: func(h *hooks) {
			h.eachRenewal(func(_ backends.Renewal, a *backends.Renewed) {
				if errors.Is(a.Err, backends.ErrInvalid) {
					a.Err = nil
				}
			})
		},
	},
}
