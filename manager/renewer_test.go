package manager

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

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

// Leases that were acquired at any time are renewed together, in some eight batches a period.
func TestTenThousandLeasesAreRenewedInBatches(t *testing.T) {
	const period, periods, most = DefaultTTL / 3, 10, 10
	for _, span := range []time.Duration{0, period / 2, period} {
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
					time.Sleep(span * time.Duration(i) / time.Duration(n))
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
			sleep(2 * period)
			before := f.count("renew")
			sleep(periods * period)
			calls := f.count("renew") - before
			t.Logf("acquired within %v: %d calls in %d periods", span, calls, periods)
			if calls > periods*most || calls < periods {
				t.Errorf("acquired within %v: %d calls in %d periods", span, calls, periods)
			}
			close(stop)
			wg.Wait()
			if bad.Load() != 0 {
				t.Errorf("%d leases failed", bad.Load())
			}
		})
	}
}

// A lease that expires although its last renewal was good, on a machine that was suspended say, does
// not blame an earlier renewal that had failed.
func TestAGoodRenewalIsNotBlamedForTheOneBefore(t *testing.T) {
	for _, mended := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := newFake()
			m := newManager(t, store, WithTTL(10*time.Second))
			l := mustAcquire(t, m.Lock("db"))
			refused := errors.New("the network is away")
			store.set(only("renew", func(context.Context, string) error { return refused }), nil)
			for m.Stats().Totals.RenewalsFailed == 0 {
				sleep(time.Millisecond)
			}
			if mended {
				store.set(nil, nil)
				sleep(30 * time.Second)
			}
			l.req.wall.Store(1) // the wall clock is far ahead after a sleep of the machine
			err := l.Err()
			wantLost(t, err, Expired)
			if blamed := errors.Is(err, refused); blamed == mended {
				t.Errorf("renewed since: %v; the lease ended by %v", mended, err)
			}
			_ = l.Release()
		})
	}
}
