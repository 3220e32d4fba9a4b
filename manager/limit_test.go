package manager

import (
	"testing"
	"testing/synctest"
	"time"
)

func mustReenter(t testing.TB, c Claim, outer *Lease, opts ...AcquireOption) *Lease {
	t.Helper()
	l, err := c.Reentrant().Acquire(outer.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReentrantLeaseEndsAtItsOwnLimitAndNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		db := m.Lock("db")
		outer := mustAcquire(t, db, HoldAtMost(time.Hour))
		begin := time.Now()
		first := mustReenter(t, db, outer, HoldAtMost(2*time.Second))
		second := mustReenter(t, db, first, HoldAtMost(5*time.Second))
		third := mustReenter(t, db, second)
		<-first.Context().Done()
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("lost after %v", d)
		}
		wantLost(t, first.Err(), MaxHold)
		if !outer.Valid() || !second.Valid() || !third.Valid() {
			t.Error("others ended with it")
		}
		<-second.Context().Done()
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("lost after %v", d)
		}
		wantLost(t, first.Release(), MaxHold)
		wantLost(t, second.Release(), MaxHold)
		mustRelease(t, third, outer)
		wantFree(t, db)
		if c := m.Stats().Totals; c.Lost != 2 || c.Acquisitions != 5 || c.Releases != 3 {
			t.Errorf("stats: %+v", c)
		}
	})
}

// The holder of the re-entrant lease has the stop margin to stop in.
func TestGrantWaitsForAReentrantLeaseThatIsOverForTheStopMargin(t *testing.T) {
	for _, released := range []bool{false, true} {
		bubble(t, func(t *testing.T, m *Manager) {
			db := m.Lock("db")
			outer := mustAcquire(t, db)
			inner := mustReenter(t, db, outer, HoldAtMost(2*time.Second))
			w := start(db)
			<-inner.Context().Done()
			begin := time.Now()
			mustRelease(t, outer)
			w.stillWaiting(t)
			want := time.Second
			if released {
				wantLost(t, inner.Release(), MaxHold)
				want = 0
			}
			<-w.done
			if d := time.Since(begin); d != want {
				t.Errorf("the next entered %v after the end, want %v", d, want)
			}
			wantLost(t, inner.Release(), MaxHold) // has no effect on the next holder
			wantBusy(t, db)
			mustRelease(t, w.granted(t))
			wantFree(t, db)
		}, WithStopMargin(time.Second))
	}
}

func TestReleaseOfALeaseThatWasOverForLongTakesNothingFromOthers(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		db := m.Lock("db")
		outer := mustAcquire(t, db)
		inner := mustReenter(t, db, outer, HoldAtMost(time.Second))
		w := start(db)
		sleep(time.Minute)
		wantLost(t, inner.Release(), MaxHold)
		w.stillWaiting(t)
		mustRelease(t, outer)
		mustRelease(t, w.granted(t))
	})
}

func TestLimitOfTheOuterLeaseEndsThoseWithinUnlessItWasReleased(t *testing.T) {
	for _, opts := range [][]Option{nil, {WithMaxHold(2 * time.Second)}} {
		bubble(t, func(t *testing.T, m *Manager) {
			db := m.Lock("db")
			outer := mustAcquire(t, db, HoldAtMost(2*time.Second))
			sleep(time.Second)
			inner := mustReenter(t, db, outer)
			begin := time.Now()
			<-inner.Context().Done()
			if d := time.Since(begin); d != time.Second {
				t.Errorf("lost after %v", d)
			}
			wantLost(t, inner.Release(), MaxHold)
			wantLost(t, outer.Release(), MaxHold)

			outer = mustAcquire(t, db, HoldAtMost(2*time.Second))
			sleep(time.Second)
			inner = mustReenter(t, db, outer)
			mustRelease(t, outer)
			sleep(time.Second)
			if !inner.Valid() {
				t.Errorf("it ended by the limit of another lease: %v", inner.Err())
			}
			sleep(time.Second)
			if (inner.Err() == nil) != (opts == nil) { // WithMaxHold limits the inner lease too
				t.Errorf("got %v", inner.Err())
			}
			_ = inner.Release()
			wantFree(t, db)
		}, opts...)
	}
}

func TestLossOfAGrantCountsALeaseThatWasOverOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		db := m.Lock("db")
		outer := mustAcquire(t, db)
		inner := mustReenter(t, db, outer, HoldAtMost(time.Second))
		<-inner.Context().Done()
		mustBreak(t, m, "db")
		<-outer.Context().Done()
		wantLost(t, outer.Release(), Broken)
		wantLost(t, inner.Release(), MaxHold)
		wantFree(t, db)
		if c := m.Stats().Totals; c.Lost != 2 {
			t.Errorf("%d lost", c.Lost)
		}
	})
}

func TestRenewedGrantOutlivesTheLimitOfAReentrantLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake())
		outer := mustAcquire(t, m.Lock("db"))
		inner := mustReenter(t, m.Lock("db"), outer, HoldAtMost(DefaultTTL/2))
		sleep(3 * DefaultTTL)
		wantLost(t, inner.Err(), MaxHold)
		if !outer.Valid() {
			t.Errorf("got %v", outer.Err())
		}
		mustRelease(t, outer)
		wantFree(t, m.Lock("db"))
	})
}
