package manager

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestCycleOverPartsOfAllIsSeen(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		c := mustAcquire(t, m.Lock("c"))
		all := start(m.All(m.Lock("a"), m.Lock("c"), m.Lock("d"))) // is before all others for a and d
		for _, n := range []string{"a", "d"} {
			wantDeadlock(t, startWith(c.Context(), m.Lock(n)), n, "c")
		}
		wantDeadlock(t, startWith(c.Context(), m.All(m.Lock("b"), m.Lock("d"))), "d", "c")
		wantFree(t, m.Lock("b"))
		all.stillWaiting(t)
		mustRelease(t, c)
		mustRelease(t, all.granted(t))
	})
}

func TestAllOfAnOwnerClosesACycleWithOneOfAnother(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		a, b := mustAcquire(t, m.Lock("a")), mustAcquire(t, m.Lock("b"))
		w := startWith(a.Context(), m.All(m.Lock("b"), m.Lock("x")))
		w.stillWaiting(t)
		v := startWith(b.Context(), m.All(m.Lock("y"), m.Lock("a")))
		wantDeadlock(t, v, "a", "b")
		var op *backends.OpError
		if !errors.As(v.err, &op) || op.Name != "a" {
			t.Errorf("%v does not name what was waited for", v.err)
		}
		wantFree(t, m.Lock("y"))
		mustRelease(t, b)
		mustRelease(t, w.granted(t), a)
	})
}

func TestAllInsideAnAllKeepsThePartsOfTheOuterOne(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		outer, c := mustAcquire(t, m.All(m.Lock("a"), m.Lock("b"))), mustAcquire(t, m.Lock("c"))
		w := startWith(outer.Context(), m.All(m.Lock("c"), m.Lock("d")))
		for _, n := range []string{"a", "b", "d"} {
			wantDeadlock(t, startWith(c.Context(), m.Lock(n)), n, "c")
		}
		mustRelease(t, c)
		inner := w.granted(t)
		e := mustAcquire(t, m.Lock("e"))
		v := startWith(inner.Context(), m.Lock("e"))
		for _, n := range []string{"a", "b", "c", "d"} {
			wantDeadlock(t, startWith(e.Context(), m.All(m.Lock(n), m.Lock("f"))), n, "e")
		}
		mustRelease(t, e)
		mustRelease(t, v.granted(t), inner, outer)
	})
}

func TestAllBehindAnotherAllWaitsForThat(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		b := mustAcquire(t, m.Lock("b"))
		first := start(m.All(m.Lock("a"), m.Lock("b")))
		second := start(m.All(m.Lock("a"), m.Lock("c")))
		wantDeadlock(t, startWith(b.Context(), m.Lock("c")), "c", "a", "b")
		first.cancel(nil) // nothing is between any more
		first.waiting()
		mustRelease(t, second.granted(t))
		mustRelease(t, startWith(b.Context(), m.Lock("c")).granted(t), b)
	})
}

// An operation starts when nothing whole of its names is held. Until then its parts keep out all
// that is behind them, though there were permits enough.
func TestPartOfAnAllThatHasNotStartedKeepsReadersOut(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		rw, k := m.RWLock("rw"), mustAcquire(t, m.Lock("k"))
		reader := mustAcquire(t, rw.Read())
		all := start(m.All(rw.Read(), m.Lock("k")))
		wantDeadlock(t, startWith(k.Context(), rw.Read()), "rw", "k")
		mustRelease(t, reader)
		wantDeadlock(t, startWith(k.Context(), rw.Read()), "rw", "k")
		mustRelease(t, k)
		mustRelease(t, all.granted(t))
	})
}

func TestPartThatIsGrantedKeepsOnlyItsOwnPermits(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s, u := m.Semaphore("s", 2), m.Semaphore("u", 2)
		a, b := mustAcquire(t, u.Permits(1)), mustAcquire(t, u.Permits(1))
		all := start(m.All(s.Permits(1), u.Permits(1))) // has s
		mustRelease(t, startWith(a.Context(), s.Permits(1)).granted(t))
		w := startWith(a.Context(), s.Permits(2)) // b may still release
		w.stillWaiting(t)
		wantDeadlock(t, startWith(b.Context(), s.Permits(2)), "s", "u")
		mustRelease(t, b)
		mustRelease(t, all.granted(t))
		mustRelease(t, w.granted(t), a)
	})
}

func TestPlainRequestKeepsAPartBehindItFromStarting(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s := m.Semaphore("s", 3)
		a, k := mustAcquire(t, s.Permits(1)), mustAcquire(t, m.RWLock("k").Read())
		plain := []*waiter{start(s.Permits(3)), start(s.Permits(3))} // wait for a
		plain[1].cancel(nil)
		all := start(m.All(s.Permits(1), m.RWLock("k").Read()))
		wantDeadlock(t, startWith(a.Context(), m.RWLock("k").Read()), "k", "s")
		plain[0].cancel(nil)
		mustRelease(t, all.granted(t))
		mustRelease(t, startWith(a.Context(), m.RWLock("k").Read()).granted(t), k, a)
	})
}

func TestOwnerThatWaitsTwiceWaitsForItself(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("l"))
		b, c := startWith(l.Context(), m.Lock("b")).granted(t), startWith(l.Context(), m.Lock("c")).granted(t)
		w := startWith(b.Context(), m.All(m.Lock("c"), m.Lock("x")))
		w.stillWaiting(t)
		wantDeadlock(t, startWith(c.Context(), m.All(m.Lock("b"), m.Lock("y"))), "b", "c")
		wantDeadlock(t, startWith(c.Context(), m.Lock("x")), "x", "c")
		mustRelease(t, c)
		mustRelease(t, w.granted(t), b, l)
	})
}

func TestAllThatReadsAgainBehindAWriterWaitsForItself(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		rw := m.RWLock("rw")
		r := mustAcquire(t, rw.Read())
		writer := start(m.All(rw.Write(), m.Lock("x")))
		wantDeadlock(t, startWith(r.Context(), m.All(rw.Read(), m.Lock("y"))), "rw")
		wantDeadlock(t, startWith(r.Context(), m.All(m.Lock("y"), m.Lock("x"))), "x", "rw")
		mustRelease(t, r)
		mustRelease(t, writer.granted(t))
	})
}

func TestPartThatIsEnteredAgainIsHeldWhileTheRestIsWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		a, b := mustAcquire(t, m.Lock("a")), mustAcquire(t, m.Lock("b"))
		w := startWith(context.WithoutCancel(a.Context()), m.All(m.Lock("a").Reentrant(), m.Lock("b")))
		mustRelease(t, a) // it stays held
		wantDeadlock(t, startWith(b.Context(), m.Lock("a")), "a", "b")
		mustRelease(t, b)
		l := w.granted(t)
		wantDeadlock(t, startWith(l.Context(), m.Lock("a")), "a")
		mustRelease(t, l)
	})
}

func TestAllThatHasFailedIsNoPartOfADeadlock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		c, rw := mustAcquire(t, m.Lock("c")), mustAcquire(t, m.RWLock("rw").Read())
		cancelled := start(m.All(m.Lock("a"), m.Lock("c")))
		cancelled.cancel(nil)
		if failed := start(m.All(m.Lock("a"), m.Lock("c"), m.Lock("rw"))); !errors.Is(failed.err, ErrMismatch) {
			t.Errorf("got %v", failed.err)
		}
		mustRelease(t, startWith(c.Context(), m.Lock("a")).granted(t), c, rw)
	})
}

func TestLossThatLetsAnAllProceedBreaksTheDeadlock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s, u := m.Semaphore("s", 2), m.Semaphore("u", 2)
		a := mustAcquire(t, u.Permits(1))
		b := mustAcquire(t, u.Permits(1))
		all := start(m.All(s.Permits(1), u.Permits(1))) // has s
		held := startWith(context.WithoutCancel(b.Context()), s.Permits(2))
		wantDeadlock(t, startWith(a.Context(), s.Permits(2)), "s", "u")
		mustBreak(t, m, "u")
		synctest.Wait()
		v := startWith(context.WithoutCancel(a.Context()), s.Permits(2)) // a holds nothing any more
		v.stillWaiting(t)
		wantLost(t, a.Release(), Broken)
		wantLost(t, b.Release(), Broken)
		mustRelease(t, all.granted(t))
		mustRelease(t, held.granted(t))
		mustRelease(t, v.granted(t))
	})
}

// A part that is lost while others wait is asked for again. Then the All stands behind those that
// have come in the meantime, and may itself be the one that closes a cycle.
func TestAllThatAsksAgainIsTheYoungest(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s, u := m.Semaphore("s", 2), m.Semaphore("u", 2)
		a, b := mustAcquire(t, u.Permits(1)), mustAcquire(t, u.Permits(1))
		o := mustAcquire(t, m.Lock("o"))
		all := startWith(o.Context(), m.All(s.Permits(1), u.Permits(1))) // has s
		w := startWith(a.Context(), s.Permits(2))
		v := startWith(b.Context(), m.Lock("o"))
		wantDeadlock(t, v, "o", "u")
		all.stillWaiting(t)
		mustBreak(t, m, "s")
		l := w.granted(t) // the All is behind it now
		wantDeadlock(t, startWith(l.Context(), m.Lock("o")), "o", "s")
		mustRelease(t, l, a, b)
		mustRelease(t, all.granted(t), o)
	})
}

func TestOnlyWaitsThatOthersMayDependOnAreWatched(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		watched := func(want int, why string) {
			t.Helper()
			synctest.Wait()
			if m.waits.n != want {
				t.Errorf("%d waits are watched, want %d: %s", m.waits.n, want, why)
			}
		}
		s := m.Semaphore("s", 2)
		mustRelease(t, mustAcquire(t, m.All(m.Lock("a"), s.Permits(1))))
		foreign := mustAcquire(t, other.Lock("b"))
		w := start(m.All(m.Lock("a"), m.Lock("b"), s.Permits(1)))
		watched(0, "it waits for another process alone")
		mustRelease(t, foreign)
		l := w.granted(t)
		plain := []*waiter{start(m.Lock("a")), start(s.Permits(2)), start(s.Permits(1))}
		watched(0, "plain requests")
		if m.waits.round != 0 {
			t.Errorf("%d examinations", m.waits.round)
		}
		v := start(m.All(m.Lock("a"), s.Permits(1), m.Lock("c")))
		watched(3, "an All, and what keeps it from starting although its permits were free")
		mustRelease(t, l)
		for _, w := range plain {
			mustRelease(t, w.granted(t))
		}
		mustRelease(t, v.granted(t))
		watched(0, "the end")
	})
}

// Waits end in all ways while they are examined. Owners that are told of a deadlock let go. All get
// through, which is to say that no deadlock was missed.
func TestNoDeadlockIsMissedWhileWaitsComeAndGo(t *testing.T) {
	m := newManager(t, memory.New())
	names := []string{"a", "b", "c", "d"}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for g := range 6 {
		rnd := rand.New(rand.NewPCG(3, uint64(g)))
		claim := func() Claim {
			p := rnd.Perm(len(names))
			if rnd.IntN(3) == 0 {
				return m.Semaphore("s", 3).Permits(1 + rnd.Int64N(2))
			}
			return m.All(m.Lock(names[p[0]]), m.RWLock("rw").Read(), m.Lock(names[p[1]])).first(1 + rnd.IntN(3))
		}
		wg.Go(func() {
			for range 300 {
				outer, err := claim().Acquire(ctx)
				if err != nil {
					t.Errorf("nothing is held, but: %v", err)
					return
				}
				inner, stop := context.WithTimeout(outer.Context(), time.Duration(rnd.IntN(3))*time.Minute+time.Microsecond)
				l, err := claim().Acquire(inner)
				if err == nil {
					_ = l.Release()
				} else if !errors.Is(err, ErrDeadlock) && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				stop()
				_ = outer.Release()
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		t.Error("a deadlock was missed")
	}
}

// first returns the first parts of an All claim.
func (c Claim) first(n int) Claim {
	c.all = c.all[:n]
	return c
}
