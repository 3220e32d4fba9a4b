package manager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCycleOfOwnersIsNamedToTheYoungest(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		a, b, c := mustAcquire(t, m.Lock("a")), mustAcquire(t, m.Lock("b")), mustAcquire(t, m.RWLock("c").Write())
		ab := startWith(a.Context(), m.Lock("b"))
		bc := startWith(b.Context(), m.RWLock("c").Read())
		ab.stillWaiting(t)
		bc.stillWaiting(t)
		ca := startWith(c.Context(), m.Lock("a"))
		if ca.waiting() {
			t.Fatal("the cycle was not seen")
		}
		var dead *DeadlockError
		if !errors.As(ca.err, &dead) || !slices.Equal(dead.Cycle, []string{"a", "b", "c"}) {
			t.Errorf("got %v", ca.err)
		}
		mustRelease(t, c)
		mustRelease(t, bc.granted(t), b)
		mustRelease(t, ab.granted(t), a)
		if n := m.waits.n; n != 0 {
			t.Errorf("%d waits are left", n)
		}
	})
}

func TestOwnersThatCanShareAreNoCycle(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s := m.Semaphore("s", 2)
		l, k := mustAcquire(t, s.Permits(1)), mustAcquire(t, m.Lock("k"))
		other := mustAcquire(t, s.Permits(1))
		w := startWith(l.Context(), m.Lock("k"))
		v := startWith(k.Context(), s.Permits(1)) // l's owner waits for k, but other may make room
		v.stillWaiting(t)
		mustRelease(t, other)
		mustRelease(t, v.granted(t), k)
		mustRelease(t, w.granted(t), l)
	})
}

func TestWaitOutsideAnyCycleIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		a, b := mustAcquire(t, m.Lock("a")), mustAcquire(t, m.Lock("b"))
		w := startWith(a.Context(), m.Lock("b"))
		v := start(m.Lock("a"))
		sleep(time.Hour)
		w.stillWaiting(t)
		v.stillWaiting(t)
		mustRelease(t, b)
		mustRelease(t, w.granted(t), a)
		mustRelease(t, v.granted(t))
	})
}

// wantDeadlock fails unless the acquire was refused with a cycle of these names.
func wantDeadlock(t testing.TB, w *waiter, cycle ...string) {
	t.Helper()
	if w.waiting() {
		t.Fatal("the acquire still waits; want ErrDeadlock")
	}
	var dead *DeadlockError
	if !errors.As(w.err, &dead) || !slices.Equal(dead.Cycle, cycle) {
		t.Errorf("got %v, want a deadlock over %q", w.err, cycle)
	}
}

func TestHoldersOfAllPermitsThatEachWantAnotherAreADeadlock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s := m.Semaphore("s", 3)
		a, b := mustAcquire(t, s.Permits(2)), mustAcquire(t, s.Permits(1))
		w := startWith(a.Context(), s.Permits(1))
		w.stillWaiting(t)
		v := startWith(b.Context(), s.Permits(1))
		wantDeadlock(t, v, "s")
		if !strings.Contains(v.err.Error(), "this context already holds it; see Reentrant") {
			t.Errorf("got %v", v.err)
		}
		mustRelease(t, b)
		mustRelease(t, w.granted(t), a)
	})
}

func TestReaderThatReadsAgainBehindAWriterWaitsForItself(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		rw := m.RWLock("rw")
		r := mustAcquire(t, rw.Read())
		writers := []*waiter{start(rw.Write()), start(rw.Write())}
		writers[0].cancel(nil) // the other writer is still between the readers
		writers[0].waiting()
		wantDeadlock(t, startWith(r.Context(), rw.Read()), "rw")
		writers[1].cancel(nil)
		writers[1].waiting()
		mustRelease(t, startWith(r.Context(), rw.Read()).granted(t), r)
	})
}

func TestReaderBehindAWriterOfItsOwnOwnerIsADeadlock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		rw := m.RWLock("rw")
		other, l := mustAcquire(t, rw.Read()), mustAcquire(t, m.Lock("l"))
		w := startWith(l.Context(), rw.Write()) // it waits for other, and twice over
		v := startWith(l.Context(), rw.Read())
		w.stillWaiting(t)
		v.stillWaiting(t)
		wantDeadlock(t, startWith(other.Context(), m.Lock("l")), "l", "rw")
		mustRelease(t, other)
		mustRelease(t, w.granted(t))
		mustRelease(t, v.granted(t), l)
	})
}

func TestLargeRequestWithoutAnOwnerBlocksSmallOnesBehindIt(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s, k := m.Semaphore("s", 3), m.Lock("k")
		a, b := mustAcquire(t, s.Permits(1)), mustAcquire(t, k)
		w := startWith(a.Context(), k)
		large := start(s.Permits(3)) // has no owner, but waits for a
		wantDeadlock(t, startWith(b.Context(), s.Permits(1)), "s", "k")
		large.cancel(nil)
		large.waiting()
		mustRelease(t, startWith(b.Context(), s.Permits(1)).granted(t), b) // two are free
		mustRelease(t, w.granted(t), a)
	})
}

func TestPermitsThatOthersHoldAreNoDeadlock(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		for _, third := range []*Manager{m, other} { // in this process and in another
			s := m.Semaphore("s", 3)
			a, b := mustAcquire(t, s.Permits(1)), mustAcquire(t, s.Permits(1))
			free := mustAcquire(t, third.Semaphore("s", 3).Permits(1))
			w, v := startWith(a.Context(), s.Permits(1)), startWith(b.Context(), s.Permits(1))
			w.stillWaiting(t)
			v.stillWaiting(t)
			mustRelease(t, free)
			mustRelease(t, w.granted(t), a)
			mustRelease(t, v.granted(t), b)
		}
	})
}

func TestCycleOverMutexPermitsAndReaderIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s, rw, k := m.Semaphore("s", 2), m.RWLock("rw"), m.Lock("k")
		a, a2 := mustAcquire(t, s.Permits(1)), mustAcquire(t, s.Permits(1))
		b, c := mustAcquire(t, rw.Read()), mustAcquire(t, k)
		w := startWith(a.Context(), rw.Write())
		w2 := startWith(a2.Context(), rw.Write())
		v := startWith(b.Context(), k)
		wantDeadlock(t, startWith(c.Context(), s.Permits(1)), "s", "rw", "k")
		w2.cancel(nil) // its owner can release now: no deadlock any more
		w2.waiting()
		u := startWith(c.Context(), s.Permits(1))
		u.stillWaiting(t)
		mustRelease(t, a2)
		mustRelease(t, u.granted(t), c)
		mustRelease(t, v.granted(t), b)
		mustRelease(t, w.granted(t), a)
	})
}

// A holder in the cycle gets its grant by a hand-off, after the others began to wait.
func TestCycleThatAHandoffPreparesIsSeen(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		first, b := mustAcquire(t, m.Lock("a")), mustAcquire(t, m.Lock("b"))
		next := start(m.Lock("a"))
		w := startWith(b.Context(), m.Lock("a"))
		mustRelease(t, first)
		a := next.granted(t)
		wantDeadlock(t, startWith(a.Context(), m.Lock("b")), "b", "a")
		mustRelease(t, a)
		mustRelease(t, w.granted(t), b)
	})
}

func TestLostLeaseIsNoPartOfADeadlock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		a, b := mustAcquire(t, m.Lock("a")), mustAcquire(t, m.Lock("b"))
		w := startWith(context.WithoutCancel(a.Context()), m.Lock("b"))
		if err := m.Break(context.Background(), "a"); err != nil {
			t.Fatal(err)
		}
		v := startWith(b.Context(), m.Lock("a")) // free when its stray has stopped
		v.stillWaiting(t)
		wantLost(t, a.Release(), Broken)
		mustRelease(t, v.granted(t), b)
		mustRelease(t, w.granted(t))
	})
}

func TestReenteredPermitsAreHeldOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s := m.Semaphore("s", 3)
		a := mustAcquire(t, s.Permits(1))
		b, err := s.Permits(1).Reentrant().Acquire(a.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Permits(2).Acquire(b.Context()) // the rest
		if err != nil {
			t.Fatal(err)
		}
		mustRelease(t, c, b, a)
	})
}
