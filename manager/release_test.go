package manager

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestReleaseIsIdempotentAndNeverTouchesASuccessor(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		mustRelease(t, l)
		for _, m := range []*Manager{a, b} {
			next := mustAcquire(t, m.Lock("db"))
			mustRelease(t, l, l)
			wantBusy(t, b.Lock("db"))
			if !next.Valid() {
				t.Error("the successor was touched")
			}
			mustRelease(t, next)
		}
		wantErr(t, l.Err(), ErrReleased)
		if l.Valid() {
			t.Error("valid after release")
		}
	})
}

func TestConcurrentReleasesAreOne(t *testing.T) {
	m := newManager(t, memory.New())
	for range 500 {
		l := mustAcquire(t, m.Lock("db"))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { mustRelease(t, l) })
		}
		wg.Wait()
	}
	if s := m.Stats(); s.Totals.Releases != 500 || s.Holding != 0 {
		t.Errorf("%d releases, %d held", s.Totals.Releases, s.Holding)
	}
}

func TestReleaseOfAGrantTheStoreHasForgottenSaysLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		f.forget()
		wantLost(t, l.Release(), NotOwner)
		wantLost(t, l.Release(), NotOwner)
		wantLost(t, l.Err(), NotOwner)
		if s := m.Stats(); s.Totals.Lost != 1 || s.Totals.Releases != 0 {
			t.Errorf("stats: %+v", s.Totals)
		}
	})
}

func TestReleaseHasItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f, WithReleaseTimeout(time.Second))
		l := mustAcquire(t, m.Lock("db"))
		f.set(only("release", hang), nil)
		begin := time.Now()
		err := l.Release()
		wantErr(t, err, ErrUnavailable)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("Release took %v", d)
		}
		if l.Valid() {
			t.Error("valid after release")
		}
		f.set(nil, nil)
	})
}
