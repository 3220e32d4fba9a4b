package manager

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

const minimum = 10 * time.Second

// release releases l, and fails the test if that takes any time.
func releaseAtOnce(t *testing.T, l *Lease) {
	t.Helper()
	before := time.Now()
	mustRelease(t, l)
	if passed := time.Since(before); passed != 0 {
		t.Errorf("Release took %v", passed)
	}
}

func TestMinimumCountsFromTheGrantWhoeverWaits(t *testing.T) {
	for _, held := range []time.Duration{0, time.Second, minimum, 11 * time.Second} {
		twins(t, func(t *testing.T, a, b *Manager) {
			began := time.Now()
			l := mustAcquire(t, a.Lock("job"), HoldAtLeast(minimum))
			there, here := start(b.Lock("job")), start(a.Lock("job")) // in the store, and in the process
			time.Sleep(held)
			releaseAtOnce(t, l)
			for _, w := range []*waiter{there, here} {
				<-w.done
				if at := time.Since(began); at != max(held, minimum) {
					t.Errorf("held for %v: the next is granted after %v", held, at)
				}
				mustRelease(t, w.granted(t))
			}
		})
	}
}

func TestKeptNameIsBusyAndTheErrorSaysUntilWhen(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		until := time.Now().Add(minimum)
		l := mustAcquire(t, a.Lock("job"), HoldAtLeast(minimum))
		if h := row(a, "job").Holders; len(h) != 1 || !h[0].KeptUntil.Equal(until) {
			t.Errorf("holders %+v; want one whose name is kept until %v", h, until)
		}
		time.Sleep(time.Second)
		mustRelease(t, l)
		for _, m := range []*Manager{a, b} {
			_, err := m.Lock("job").TryAcquire(t.Context())
			var held *HeldError
			if !errors.Is(err, ErrBusy) || !errors.As(err, &held) || !held.Holder.KeptUntil.Equal(until) ||
				!strings.Contains(err.Error(), "kept until "+until.Format(time.DateTime)) {
				t.Errorf("a try says %v", err)
			}
		}
		if s := row(a, "job"); s.Holding != 0 || s.Waiting != 0 {
			t.Errorf("a kept name is held: %+v", s)
		}
		time.Sleep(minimum - time.Second)
		synctest.Wait()
		wantFree(t, a.Lock("job"))
	})
}

// Whatever a process would do with a whole grant, with a minimum it serves one holder; and what it
// has without a minimum does not serve a holder that wants one.
func TestGrantWithAMinimumIsOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		mustRelease(t, mustAcquire(t, m.Lock("job"))) // kept idle
		time.Sleep(time.Second)
		began := time.Now()
		l := mustAcquire(t, m.Lock("job"), HoldAtLeast(minimum))
		second, third := start(m.Lock("job"), HoldAtLeast(time.Minute)), start(m.Lock("job"))
		mustRelease(t, l)
		<-second.done
		if at := time.Since(began); at != minimum {
			t.Errorf("the second is granted after %v", at)
		}
		mustRelease(t, second.granted(t))
		<-third.done
		if at := time.Since(began); at != minimum+time.Minute {
			t.Errorf("the third is granted after %v", at)
		}
		fourth := start(m.Lock("job"), HoldAtLeast(minimum)) // not by a hand-off of the third
		releaseAtOnce(t, third.granted(t))
		mustRelease(t, fourth.granted(t))
		wantBusy(t, m.Lock("job"))
		if c := m.Stats().Totals; c.Handoffs != 0 {
			t.Errorf("%d hand-offs", c.Handoffs)
		}
	}, WithIdleHold(5*time.Second))
}

func TestCancelledAcquireKeepsNothing(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("job"))
		w, behind := start(a.Lock("job"), HoldAtLeast(minimum)), start(a.Lock("job"))
		w.cancel(nil)
		<-w.done
		wantErr(t, w.err, context.Canceled)
		mustRelease(t, l)
		releaseAtOnce(t, behind.granted(t))
		wantFree(t, b.Lock("job"))
	})
}

// lateGrants is a store whose grants with a minimum come when the test says so: it may cancel before.
func lateGrants(store *memory.Backend) (b backends.Backend, tell func()) {
	var late []func()
	f := &intercept.Backend{Backend: store}
	f.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
		granted, requests := op.Granted, op.Acquire
		op.Granted = func(i int, g backends.Grant, err error) {
			if answer := func() { granted(i, g, err) }; err == nil && requests[i].AtLeast > 0 {
				late = append(late, answer)
			} else {
				answer()
			}
		}
		return start(op)
	}
	return f, func() {
		for _, answer := range late {
			answer()
		}
		late = nil
	}
}

// The store has granted, and the caller has gone before the keeper hears of it. Neither the name is
// kept, nor does a waiter without a minimum take what would be kept.
func TestGrantThatComesAfterTheCancelIsFreedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		late, tell := lateGrants(store)
		m, other := newManager(t, late), newManager(t, store.Peer())
		single := start(m.Lock("a"), HoldAtLeast(minimum))
		behind := start(m.Lock("a"))
		all := start(m.All(m.Lock("b"), m.Lock("c")), HoldAtLeast(minimum))
		for _, w := range []*waiter{single, all} {
			w.cancel(nil)
			<-w.done
			wantErr(t, w.err, context.Canceled)
		}
		tell()
		releaseAtOnce(t, behind.granted(t))
		for _, name := range []string{"a", "b", "c"} {
			wantFree(t, other.Lock(name))
		}
	})
}

func TestAllThatFailsKeepsNothing(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("c"))
		w := start(a.All(a.Lock("a"), a.Lock("b"), a.Lock("c")), HoldAtLeast(minimum))
		wantBusy(t, b.Lock("a")) // granted, and held while c is waited for
		w.cancel(nil)
		<-w.done
		mustRelease(t, l)
		for _, name := range []string{"a", "b", "c"} {
			wantFree(t, b.Lock(name))
		}
		twice, err := a.All(a.Lock("a"), a.Lock("a")).TryAcquire(t.Context(), HoldAtLeast(minimum))
		if err != nil {
			t.Fatal(err)
		}
		mustRelease(t, twice)
	})
}

// A part that is lost before the whole is granted was never used: the process ends while it waits.
func TestAllThatWaitsWhenItsProcessEndsKeepsNothing(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("b"))
		w := start(a.All(a.Lock("a"), a.Lock("b")), HoldAtLeast(minimum))
		wantBusy(t, b.Lock("a"))
		closeManager(t, a)
		<-w.done
		wantErr(t, w.err, ErrClosed)
		wantFree(t, b.Lock("a"))
		mustRelease(t, l)
	})
}

func TestEachNameOfAnAllIsKeptFromItsOwnGrant(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("b"))
		began := time.Now()
		w := start(a.All(a.Lock("a"), a.Lock("b")), HoldAtLeast(minimum))
		time.Sleep(time.Second)
		mustRelease(t, l)
		releaseAtOnce(t, w.granted(t))
		for name, want := range map[string]time.Duration{"a": minimum, "b": minimum + time.Second} {
			next := start(b.Lock(name))
			defer func() {
				<-next.done
				mustRelease(t, next.granted(t))
			}()
			go func() {
				if <-next.done; time.Since(began) != want {
					t.Errorf("%s is granted after %v; want %v", name, time.Since(began), want)
				}
			}()
		}
	})
}

// A lease that ends otherwise than by its release was used.
func TestLostLeaseStaysTaken(t *testing.T) {
	ends := map[string]func(t *testing.T, m *Manager, l *Lease){
		"closed": func(t *testing.T, m *Manager, _ *Lease) { closeManager(t, m) },
		"MaxHold": func(_ *testing.T, _ *Manager, l *Lease) {
			<-l.Context().Done()
		},
	}
	for what, end := range ends {
		t.Run(what, func(t *testing.T) {
			twins(t, func(t *testing.T, a, b *Manager) {
				began := time.Now()
				l := mustAcquire(t, a.Lock("job"), HoldAtLeast(minimum), HoldAtMost(minimum))
				next := start(b.Lock("job"))
				end(t, a, l)
				<-next.done
				if at := time.Since(began); at < minimum {
					t.Errorf("the next is granted after %v", at)
				}
				_ = l.Release()
				mustRelease(t, next.granted(t))
			})
		})
	}
}

// A part of an All that was granted was used, however the part ends.
func TestPartOfAnAllStaysTakenHoweverItEnds(t *testing.T) {
	for what, end := range map[string]func(t *testing.T, a, b *Manager, l *Lease){
		"released":     func(t *testing.T, _, _ *Manager, l *Lease) { mustRelease(t, l) },
		"passed on":    func(t *testing.T, _, b *Manager, l *Lease) { mustRelease(t, mustAdopt(t, b, mustDetach(t, l))) },
		"closed":       func(t *testing.T, a, _ *Manager, _ *Lease) { closeManager(t, a) },
		"at its limit": func(_ *testing.T, _, _ *Manager, l *Lease) { <-l.Context().Done() },
	} {
		t.Run(what, func(t *testing.T) {
			twins(t, func(t *testing.T, a, b *Manager) {
				began := time.Now()
				all := mustAcquire(t, a.All(a.Lock("a"), a.Lock("b")), HoldAtLeast(minimum), HoldAtMost(minimum))
				next := start(b.Lock("a"))
				end(t, a, b, all.Leases()[0])
				<-next.done
				if at := time.Since(began); at < minimum {
					t.Errorf("the next is granted after %v; want %v", at, minimum)
				}
				mustRelease(t, next.granted(t))
				_ = all.Release()
			})
		})
	}
}

// Break frees a name that is held for a minimum, and the Release of the holder that has lost it
// keeps nothing.
func TestBreakOfAHeldNameEndsItsMinimum(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Semaphore("s", 3).Permits(2), HoldAtLeast(minimum))
		next := start(b.Semaphore("s", 3).Permits(3))
		wantErr(t, b.Break(t.Context(), "s"), nil)
		mustRelease(t, next.granted(t))
		wantLost(t, l.Release(), Broken)
		wantFree(t, b.Semaphore("s", 3).Permits(3))
	})
}

func TestHoldAtLeastIsRefusedWhereItMakesNoSense(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("a").Reentrant())
		for what, opts := range map[string][]AcquireOption{
			"zero":                        {HoldAtLeast(0)},
			"negative":                    {HoldAtLeast(-minimum)},
			"too long":                    {HoldAtLeast(backends.MaxAtLeast + 1)},
			"beyond HoldAtMost":           {HoldAtLeast(2 * time.Second), HoldAtMost(time.Second)},
			"beyond HoldAtMost, reversed": {HoldAtMost(time.Second), HoldAtLeast(2 * time.Second)},
			"beyond WithMaxHold":          {HoldAtLeast(2 * time.Hour)},
		} {
			_, err := m.Lock("b").Acquire(t.Context(), opts...)
			_, tried := m.All(m.Lock("b"), m.Lock("c")).TryAcquire(t.Context(), opts...)
			done := m.Lock("b").Do(t.Context(), nil, opts...)
			for _, err := range []error{err, tried, done} {
				if bad := (*InvalidError)(nil); !errors.As(err, &bad) {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
		for what, c := range map[string]Claim{
			"re-entered":         m.Lock("a").Reentrant(),
			"re-entered in part": m.All(m.Lock("a").Reentrant(), m.Lock("b")),
		} {
			_, err := c.Acquire(l.Context(), HoldAtLeast(time.Second))
			if bad := (*InvalidError)(nil); !errors.As(err, &bad) {
				t.Errorf("%s: %v", what, err)
			}
		}
		mustRelease(t, l)
		wantFree(t, m.All(m.Lock("a"), m.Lock("b"), m.Lock("c")))
	}, WithMaxHold(time.Hour))
}

func TestStoreThatKeepsNothingIsUnsupported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake())
		_, err := m.Lock("a").Acquire(t.Context(), HoldAtLeast(time.Second))
		wantErr(t, err, ErrUnsupported)
		wantErr(t, m.Lead(t.Context(), "a", func(context.Context, uint64) error { return nil }, HoldAtLeast(time.Second)),
			ErrUnsupported)
		wantFree(t, m.Lock("a"))
	})
}

func TestLeaderWhoseTermIsOverDoesNotLeadThoughItsNameIsKept(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		lead := func(context.Context, uint64) error { return nil }
		if err := a.Lead(t.Context(), "e", lead, HoldAtLeast(minimum)); err != nil {
			t.Error(err)
		}
		wantBusy(t, b.Lock("e"))
		_, err := b.Election("e").Leader(t.Context())
		wantErr(t, err, ErrNoLeader)
	})
}
