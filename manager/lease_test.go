package manager

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
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

func TestZeroLeaseIsAReleasedOne(t *testing.T) {
	var l Lease
	wantErr(t, l.Err(), ErrReleased)
	wantErr(t, l.Release(), ErrReleased)
	wantErr(t, context.Cause(l.Context()), ErrReleased)
	if l.Valid() || l.Token() != 0 || l.Name() != "" || !l.ValidUntil().IsZero() || len(l.Leases()) != 0 {
		t.Error("the zero lease is something")
	}
}

type key struct{}

func TestLeaseContextKeepsValuesButNotTheEndOfTheAcquire(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), key{}, "v"), time.Minute)
		l, err := m.Lock("db").Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		lc := l.Context()
		if lc != l.Context() {
			t.Error("two contexts")
		}
		child, stop := context.WithCancel(lc)
		defer stop()
		cancel()
		if lc.Err() != nil || lc.Value(key{}) != "v" {
			t.Errorf("err %v, value %v", lc.Err(), lc.Value(key{}))
		}
		if _, has := lc.Deadline(); has {
			t.Error("inherited the deadline")
		}
		mustRelease(t, l)
		<-child.Done()
		if !errors.Is(lc.Err(), context.Canceled) || !errors.Is(context.Cause(lc), ErrReleased) || !errors.Is(context.Cause(child), ErrReleased) {
			t.Errorf("ended by %v, %v", lc.Err(), context.Cause(child))
		}
		if late := mustAcquire(t, m.Lock("db")); true {
			mustRelease(t, late)
			wantErr(t, context.Cause(late.Context()), ErrReleased) // asked for after the end
		}
	})
}

func TestBrokenLeaseIsLostAtOnceAndForGood(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		remote := start(b.Lock("db"))
		remote.stillWaiting(t)
		if err := b.Break(context.Background(), "db"); err != nil {
			t.Fatal(err)
		}
		next := remote.granted(t)
		<-l.Context().Done()
		wantLost(t, context.Cause(l.Context()), Broken)
		wantLost(t, l.Err(), Broken)
		wantLost(t, l.Release(), Broken)
		wantLost(t, l.Release(), Broken)
		if l.Valid() || next.Token() <= l.Token() || !next.Valid() {
			t.Errorf("valid %v, tokens %d, %d", l.Valid(), l.Token(), next.Token())
		}
		mustRelease(t, next)
		if s := a.Stats(); s.Totals.Lost != 1 || s.Totals.Releases != 0 {
			t.Errorf("stats: %+v", s.Totals)
		}
	})
}

// A holder that has lost the resource may still be at work. In its own process nobody enters before it has released or the stop
// margin has passed.
func TestNobodyEntersWhileAStrayMayStillRun(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		for _, releases := range []bool{true, false} {
			l := mustAcquire(t, m.Lock("db"))
			ws := []*waiter{start(m.Lock("db")), start(m.Lock("db"))}
			if err := m.Break(context.Background(), "db"); err != nil {
				t.Fatal(err)
			}
			for _, w := range ws {
				w.stillWaiting(t)
			}
			wantBusy(t, m.Lock("db"))
			begin := time.Now()
			if releases {
				wantLost(t, l.Release(), Broken)
			} else {
				<-ws[0].done
				if d := time.Since(begin); d != time.Second {
					t.Errorf("entered after %v", d)
				}
			}
			next := ws[0].granted(t)
			if next.Token() <= l.Token() {
				t.Errorf("token %d after %d", next.Token(), l.Token())
			}
			mustRelease(t, next)
			mustRelease(t, ws[1].granted(t))
		}
	}, WithStopMargin(time.Second))
}

func TestMaxHoldEndsALease(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		begin := time.Now()
		l := mustAcquire(t, m.Lock("db"), HoldAtMost(2*time.Second))
		w := start(m.Lock("db"))
		<-l.Context().Done()
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("lost after %v", d)
		}
		wantLost(t, l.Err(), MaxHold)
		next := <-w.done
		_ = next
		if d := time.Since(begin); d != 3*time.Second { // the stop margin later, not earlier
			t.Errorf("the next entered after %v", d)
		}
		got := w.granted(t)
		sleep(4 * time.Second) // WithMaxHold is five
		if !got.Valid() {
			t.Error("lost too early")
		}
		sleep(time.Second)
		wantLost(t, got.Err(), MaxHold)
		wantLost(t, got.Release(), MaxHold)
		wantFree(t, m.Lock("db"))
	}, WithStopMargin(time.Second), WithMaxHold(5*time.Second))
}

// The holder hears of the loss a stop margin before the store may grant the resource to anybody else, and by the clock alone.
func TestHolderIsToldBeforeTheStoreCanGrantToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		g := f.peer()
		a, b := newManager(t, f), newManager(t, g)
		begin := time.Now()
		l := mustAcquire(t, a.Lock("db"))
		until := l.ValidUntil()
		f.set(hang, nil)
		w := start(b.Lock("db"))
		<-l.Context().Done()
		told := time.Now()
		wantLost(t, l.Err(), Expired)
		if want := until.Add(-DefaultTTL / marginPart); told.Sub(want).Abs() > time.Millisecond {
			t.Errorf("told at %v, want %v", told.Sub(begin), want.Sub(begin))
		}
		<-w.done
		next := w.granted(t)
		if gap := time.Since(told); gap < DefaultTTL/marginPart {
			t.Errorf("the next was granted %v after the loss", gap)
		}
		if d := time.Since(begin); d > DefaultTTL+time.Millisecond {
			t.Errorf("the next was granted after %v", d)
		}
		mustRelease(t, next)
		f.set(nil, nil)
		wantLost(t, l.Release(), Expired)
	})
}

func TestLeaseIsRenewedForAsLongAsItIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		last := l.ValidUntil()
		for range 100 {
			sleep(DefaultTTL / 3)
			if !l.Valid() || l.ValidUntil().Before(last) {
				t.Fatalf("valid %v until %v, was %v", l.Valid(), l.ValidUntil(), last)
			}
			last = l.ValidUntil()
		}
		if n := f.count("renew"); n < 90 || n > 140 {
			t.Errorf("%d renewals in 100 thirds of the TTL", n)
		}
		mustRelease(t, l)
		n := f.count("renew")
		sleep(10 * DefaultTTL)
		if d := f.count("renew") - n; d > 1 {
			t.Errorf("%d renewals after the release", d)
		}
	})
}

func TestFailingRenewalsAreTriedAgainUntilTheyWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		down := errors.New("reset by peer")
		for range 10 {
			f.set(only("renew", func(context.Context, string) error { return down }), nil)
			n := f.count("renew")
			for f.count("renew") < n+3 { // three failures in a row
				sleep(10 * time.Millisecond)
			}
			f.set(nil, nil)
			sleep(DefaultTTL / 6)
			if !l.Valid() {
				t.Fatal(l.Err())
			}
		}
		mustRelease(t, l)
	})
}

// The answer to a renewal comes after the holder was told that it has lost: it stays lost, and what the store still
// keeps is given back.
func TestLateRenewalRevivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		f.set(nil, only("renew", func(context.Context, string) error {
			time.Sleep(DefaultTTL) // ignores its context: the store has renewed, the answer is under way
			return nil
		}))
		<-l.Context().Done()
		f.set(nil, nil) // for whoever comes next
		until := l.ValidUntil()
		w := start(m.Lock("db"))
		sleep(3 * DefaultTTL) // the answer arrives
		if l.Valid() || !l.ValidUntil().Equal(until) {
			t.Errorf("revived until %v", l.ValidUntil())
		}
		wantLost(t, l.Err(), Expired)
		next := w.granted(t)
		if next.Token() <= l.Token() {
			t.Errorf("token %d after %d", next.Token(), l.Token())
		}
		mustRelease(t, next)
		sleep(time.Second)
		if n := f.held("db"); n != 0 {
			t.Errorf("the store still keeps %d grants", n)
		}
	})
}

// Renewals take nearly the whole TTL: counted from their sending there is nothing left of what they bring.
func TestSlowRenewalsCountFromTheirSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		begin := time.Now()
		f.set(nil, only("renew", func(context.Context, string) error {
			time.Sleep(DefaultTTL * 9 / 10)
			return nil
		}))
		<-l.Context().Done()
		if d := time.Since(begin); d > DefaultTTL*5/6 {
			t.Errorf("told after %v", d)
		}
		wantLost(t, l.Release(), Expired)
	})
}

func TestStoreThatForgotEndsTheLeaseAtTheNextRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		begin := time.Now()
		ls := []*Lease{mustAcquire(t, m.Lock("db")), mustAcquire(t, m.RWLock("rw").Read())}
		f.forget()
		for _, l := range ls {
			<-l.Context().Done()
			if d := time.Since(begin); d > DefaultTTL/3+time.Millisecond {
				t.Errorf("told after %v", d)
			}
			wantLost(t, l.Err(), NotOwner)
			wantLost(t, l.Release(), NotOwner)
		}
	})
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

// After a pause, or a suspend of the machine, no timer may have run yet. The first look says that the lease is lost.
func TestFirstLookAfterAPauseSaysLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake())
		ctx := func(l *Lease) bool { return l.Context().Err() != nil }
		looks := map[string]func(*Lease) bool{
			"Valid":   func(l *Lease) bool { return !l.Valid() },
			"Err":     func(l *Lease) bool { return l.Err() != nil },
			"Context": ctx,
			"Release": func(l *Lease) bool { return errors.Is(l.Release(), ErrLost) },
		}
		for name, look := range looks {
			for clock, stop := range map[string]func(*request){
				"monotonic": func(r *request) { r.valid.Store(max(m.now(), 1)) },
				"wall":      func(r *request) { r.wall.Store(time.Now().UnixNano()) }, // as if it had jumped ahead
			} {
				l := mustAcquire(t, m.Lock("db"))
				made := l.Context()
				stop(l.req)
				if !look(l) {
					t.Errorf("%s, %s clock: not lost", name, clock)
				}
				wantLost(t, context.Cause(made), Expired)
				wantLost(t, l.Release(), Expired)
				if ctx(l) == false {
					t.Error("context not ended")
				}
				synctest.Wait()
			}
		}
		if s := m.Stats(); s.Totals.Lost != uint64(2*len(looks)) || s.Holding != 0 {
			t.Errorf("stats: %+v", s.Totals)
		}
	})
}

// Waiting local acquires are not granted anything under a lease that was lost; they go back to the store.
func TestLossSendsLocalWaitersBackToTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		a, b := newManager(t, f), newManager(t, f.peer())
		l := mustAcquire(t, a.Lock("db"))
		var ws []*waiter
		for range 1000 {
			ws = append(ws, start(a.Lock("db")))
		}
		remote := start(b.Lock("db"))
		f.forget()
		theirs := remote.granted(t) // the store has given it to another process
		<-l.Context().Done()
		wantLost(t, l.Release(), NotOwner)
		for _, w := range ws {
			w.stillWaiting(t)
		}
		mustRelease(t, theirs)
		last := theirs.Token()
		for _, w := range ws {
			next := w.granted(t)
			if next.Token() <= last {
				t.Fatalf("token %d after %d", next.Token(), last)
			}
			last = next.Token()
			mustRelease(t, next)
		}
	})
}

// A store may report a loss before it has reported the grant.
func TestLossThatOvertakesTheGrantIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, &overtaking{fake: f})
		l := mustAcquire(t, m.Lock("db"))
		synctest.Wait()
		wantLost(t, l.Err(), BackendLost)
		wantLost(t, l.Release(), BackendLost)
	})
}

type overtaking struct{ *fake }

func (o *overtaking) Acquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	g, err := o.fake.Acquire(ctx, r)
	r.Notify(backends.Event{Grant: g.ID, Type: backends.Lost, Err: &LostError{Reason: BackendLost}})
	return g, err
}

// A grant that takes the store so long that little is left of it is not used.
func TestGrantThatComesTooLateIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(nil, only("acquire", slow(DefaultTTL*9/10)))
		_, err := m.Lock("db").Acquire(context.Background())
		wantErr(t, err, ErrUnavailable)
		f.set(nil, nil)
		synctest.Wait()
		if n := f.held("db"); n != 0 {
			t.Errorf("the store still keeps %d grants", n)
		}
	})
}

func TestTenThousandLeasesAreRenewedInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		n := 10_000
		if testing.Short() || raceEnabled {
			n = 2_000
		}
		var wg sync.WaitGroup
		var bad atomic.Int32
		stop := make(chan struct{})
		for i := range n {
			wg.Go(func() {
				l, err := m.RWLock("rw" + string(rune(i))).Read().Acquire(context.Background())
				if err != nil {
					bad.Add(1)
					return
				}
				<-stop
				if l.Release() != nil {
					bad.Add(1)
				}
			})
		}
		synctest.Wait()
		before := f.count("renew")
		const periods = 10
		sleep(periods * DefaultTTL / 3)
		if calls := f.count("renew") - before; calls > periods*100 || calls < periods {
			t.Errorf("%d calls in %d periods", calls, periods)
		}
		close(stop)
		wg.Wait()
		if bad.Load() != 0 {
			t.Errorf("%d leases failed", bad.Load())
		}
	})
}
