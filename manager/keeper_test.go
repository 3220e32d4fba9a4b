package manager

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestTryNeverOvertakesAWaiter(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Semaphore("s", 3).Permits(2))
		w := start(a.Semaphore("s", 3).Permits(3))
		wantBusy(t, a.Semaphore("s", 3).Permits(1)) // one is free
		wantBusy(t, b.Semaphore("s", 3).Permits(1))
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		wantFree(t, b.Semaphore("s", 3).Permits(1))
	})
}

func TestReadersShareAndWritersExclude(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		rw, other := a.RWLock("rw"), b.RWLock("rw")
		r1, r2, r3 := mustAcquire(t, rw.Read()), mustAcquire(t, rw.Read()), mustAcquire(t, other.Read())
		writer := start(rw.Write())
		late := start(rw.Read())
		later := start(other.Read())
		writer.stillWaiting(t)
		late.stillWaiting(t)
		later.stillWaiting(t)
		mustRelease(t, r1, r2, r3)
		w := writer.granted(t)
		late.stillWaiting(t)
		later.stillWaiting(t)
		mustRelease(t, w)
		mustRelease(t, late.granted(t), later.granted(t))
	})
}

func TestWaitersAreServedInTheOrderTheyCame(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		var ws []*waiter
		for range 100 {
			ws = append(ws, start(m.Lock("db")))
		}
		for i, w := range ws {
			w.stillWaiting(t)
			mustRelease(t, l)
			next := w.granted(t)
			if next.Token() <= l.Token() {
				t.Fatalf("waiter %d: token %d after %d", i, next.Token(), l.Token())
			}
			l = next
		}
		mustRelease(t, l)
		if r := row(m, "db"); r.Handoffs != 100 || r.Contended != 100 || r.Acquisitions != 101 || r.Releases != 101 {
			t.Errorf("counters: %+v", r.Counters)
		}
	})
}

// A caller that has gone, but has not said so yet, keeps the name from nobody, whatever its kind.
func TestNameOfACallerThatHasGoneIsFreeForAnotherKind(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		k := m.keeper("db")
		r := &request{k: k, kind: backends.Mutex, cap: 1, weight: 1, handles: 1}
		r.req, r.fresh = r, &Lease{lease: &r.lease}
		r.state.Store(cancelled)
		k.mail.Deliver(acquire{r})
		wantFree(t, m.RWLock("db").Read())
		k.mail.Deliver(&cancelWait{r: r, why: context.Canceled, err: context.Canceled})
		if n := row(m, "db").Cancelled; n != 1 {
			t.Errorf("%d acquires were cancelled, want 1", n)
		}
	})
}
