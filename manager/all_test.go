package manager

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestAllTakesEverythingOnceAndSorted(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		c := a.All(a.Lock("c"), a.Lock("a"), a.Lock("c"), a.All(a.RWLock("b").Read(), a.RWLock("b").Write()),
			a.Semaphore("d", 5).Permits(2), a.Semaphore("d", 5).Permits(3))
		l := mustAcquire(t, c)
		if l.Name() != "a+b+c+d" || len(l.Leases()) != 4 || !l.Valid() {
			t.Errorf("got %q, %d leases", l.Name(), len(l.Leases()))
		}
		for _, p := range []Claim{b.Lock("a"), b.RWLock("b").Read(), b.Lock("c"), b.Semaphore("d", 5).Permits(1)} {
			wantBusy(t, p)
		}
		mustRelease(t, l, l)
		wantErr(t, l.Err(), ErrReleased)
		for _, p := range []Claim{b.Lock("a"), b.RWLock("b").Write(), b.Lock("c"), b.Semaphore("d", 5).Permits(5)} {
			wantFree(t, p)
		}
	})
}

func TestAllFailsWithNothingHeld(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("c"))
		all := m.All(m.Lock("a"), m.Lock("b"), m.Lock("c"), m.Lock("d"), m.Lock("e"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := all.Acquire(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("took %v", d)
		}
		_, err = all.TryAcquire(context.Background())
		wantErr(t, err, ErrBusy)
		for _, n := range []string{"a", "b", "d", "e"} {
			wantFree(t, m.Lock(n))
		}
		mustRelease(t, l)

		_, err = m.All(m.Lock("x"), m.Semaphore("x", 1).Permits(1)).Acquire(context.Background())
		wantErr(t, err, ErrMismatch)
		_, err = m.All(m.Semaphore("s", 3).Permits(2), m.Semaphore("s", 3).Permits(2)).Acquire(context.Background())
		wantErr(t, err, ErrTooLarge)
		_, err = m.All(newManager(t, memory.New()).Lock("x")).Acquire(context.Background())
		wantErr(t, err, ErrInvalid)
	})
}

func TestAllOfNothingIsGranted(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.All())
		if !l.Valid() || l.Context().Err() != nil {
			t.Error("not held")
		}
		mustRelease(t, l)
		if l.Valid() || l.Context().Err() == nil {
			t.Error("not released")
		}
	})
}

func TestAllEndsWhenAPartIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.All(m.Lock("a"), m.Lock("b"), m.Lock("c")))
		ctx := l.Context()
		if err := m.Break(context.Background(), "b"); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		wantLost(t, context.Cause(ctx), Broken)
		wantLost(t, l.Err(), Broken)
		if parts := l.Leases(); !parts[0].Valid() || parts[1].Valid() || !parts[2].Valid() {
			t.Error("the wrong part ended")
		}
		wantLost(t, l.Release(), Broken)
		wantLost(t, l.Release(), Broken)
		for _, n := range []string{"a", "b", "c"} {
			wantFree(t, m.Lock(n))
		}
	})
}

func TestAllValidityIsTheEarliestOfItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m, other := newManager(t, f), newManager(t, f.peer())
		a := mustAcquire(t, other.Lock("a"))
		w := start(m.All(m.Lock("b"), m.Lock("a")))
		w.stillWaiting(t)
		sleep(time.Second)
		mustRelease(t, a)
		l := w.granted(t)
		first, last := l.Leases()[1].ValidUntil(), l.Leases()[0].ValidUntil()
		if !l.ValidUntil().Equal(first) || !first.Before(last) {
			t.Errorf("%v of %v and %v", l.ValidUntil(), first, last)
		}
		mustRelease(t, l)
	})
}

func TestAllClaimsNeverBlockEachOther(t *testing.T) {
	store := memory.New()
	ms := []*Manager{newManager(t, store), newManager(t, store.Peer())}
	var wg sync.WaitGroup
	var held [6]int // under the locks
	for g := range 8 {
		m := ms[g%2]
		rnd := rand.New(rand.NewPCG(1, uint64(g)))
		wg.Go(func() {
			for range 300 {
				names := rnd.Perm(len(held))[:3]
				var cs []Claim
				for _, n := range names {
					cs = append(cs, m.Lock(fmt.Sprint(n)))
				}
				err := m.All(cs...).Do(context.Background(), func(context.Context) error {
					for _, n := range names {
						held[n]++
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range held {
		sum += n
	}
	if sum != 8*300*3 {
		t.Errorf("%d increments, want %d", sum, 8*300*3)
	}
}
