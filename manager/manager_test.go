package manager

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestOwnerIsToldToTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		st, err := m.Inspect(context.Background(), "db")
		if err != nil || len(st.Holders) != 1 || st.Holders[0].Owner.Label != "billing" || st.Holders[0].Owner.PID == 0 {
			t.Errorf("store: %+v, %v", st, err)
		}
		n := 0
		for s, err := range m.List(context.Background()) {
			if err != nil || s.Resource.Name != "db" {
				t.Errorf("list: %+v, %v", s, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d resources in use, want 1", n)
		}
		mustRelease(t, l)
	}, WithLabel("billing"))
}

func TestSameNameUsedInAnotherWayIsAMismatch(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Semaphore("x", 3).Permits(1))
		for _, c := range []Claim{
			a.Lock("x"), b.Lock("x"), a.RWLock("x").Read(), a.Semaphore("x", 5).Permits(1), b.Semaphore("x", 5).Permits(1),
		} {
			_, err := c.Acquire(context.Background())
			var mismatch *MismatchError
			if !errors.As(err, &mismatch) || mismatch.Have.Capacity != 3 || mismatch.Want.Capacity != c.cap {
				t.Errorf("got %v", err)
			}
		}
		mustRelease(t, l)
		wantFree(t, a.Lock("x"))
		wantFree(t, b.Semaphore("x", 5).Permits(5))
	})
}

func TestAnyBytesAreANameAndDifferentBytesAreDifferent(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		names := []string{"a", "a ", ".", "..", "../a", "/etc/x", "a\x00", "a\n", "\xff\xfe", "{}", "a}b", "*", "\u202e", strings.Repeat("n", 1024)}
		var ls []*Lease
		for _, n := range names {
			ls = append(ls, mustAcquire(t, m.Lock(n)))
		}
		if s := m.Stats(); s.Holding != int64(len(names)) {
			t.Errorf("%d held, want %d", s.Holding, len(names))
		}
		mustRelease(t, ls...)
	})
}
