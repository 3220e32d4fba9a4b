package manager

import (
	"errors"
	"slices"
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
		if n := len(m.waits.waiting); n != 0 {
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
