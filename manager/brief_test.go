package manager

import (
	"testing"
	"testing/synctest"
	"time"
)

// briefly runs f with a manager whose grants last, if they had to be waited for, no longer at first than what it asks for and a second. The lock is
// held by another process, and n callers of this one wait.
func briefly(t *testing.T, n int, f func(t *testing.T, s *fake, held *Lease, ws []*waiter)) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		s.brief = DefaultTTL/marginPart + DefaultTTL/minimumPart + time.Second
		m, other := newManager(t, s), newManager(t, s.peer())
		held := mustAcquire(t, other.Lock("db"))
		ws := many(n, m.Lock("db"))
		synctest.Wait()
		f(t, s, held, ws)
	})
}

func TestBriefGrantIsRenewedWhileItCanBeHandedOn(t *testing.T) {
	briefly(t, 1, func(t *testing.T, s *fake, held *Lease, ws []*waiter) {
		mustRelease(t, held)
		l := ws[0].granted(t)
		if left := time.Until(l.ValidUntil()); left > s.brief {
			t.Fatalf("valid for %v", left)
		}
		sleep(time.Second)
		if left := time.Until(l.ValidUntil()); left < DefaultTTL/2 {
			t.Errorf("after a second valid for %v, as if it had not been renewed", left)
		}
		if n := s.count("renew"); n != 1 {
			t.Errorf("%d renewals in a second", n)
		}
		sleep(5 * DefaultTTL)
		if !l.Valid() || l.Context().Err() != nil {
			t.Errorf("lost: %v", l.Err())
		}
		mustRelease(t, l)
	})
}

func TestBriefGrantThatIsReleasedSoonIsNotRenewed(t *testing.T) {
	briefly(t, 1, func(t *testing.T, s *fake, held *Lease, ws []*waiter) {
		mustRelease(t, held)
		l := ws[0].granted(t)
		sleep(200 * time.Millisecond)
		mustRelease(t, l)
		sleep(time.Minute)
		if n := s.count("renew"); n != 0 {
			t.Errorf("%d renewals", n)
		}
	})
}

func TestBriefGrantIsHandedOnAndRenewedForTheNext(t *testing.T) {
	briefly(t, 4, func(t *testing.T, s *fake, held *Lease, ws []*waiter) {
		mustRelease(t, held)
		l := ws[0].granted(t)
		asked := s.count("acquire") + s.count("try")
		for _, w := range ws[1:] {
			sleep(400 * time.Millisecond) // so that the third is granted when the first time is over
			mustRelease(t, l)
			next := w.granted(t)
			if next.Token() <= l.Token() {
				t.Errorf("token %d after %d", next.Token(), l.Token())
			}
			l = next
		}
		if n := s.count("acquire") + s.count("try"); n != asked {
			t.Errorf("asked the store %d times instead of handing on", n-asked)
		}
		sleep(3 * DefaultTTL)
		if !l.Valid() {
			t.Error(l.Err())
		}
		mustRelease(t, l)
	})
}

// If it cannot be renewed, its holder is told a stop margin before its end, as of any lease.
func TestHolderOfABriefGrantIsToldAStopMarginBeforeItsEnd(t *testing.T) {
	briefly(t, 1, func(t *testing.T, s *fake, held *Lease, ws []*waiter) {
		s.set(only("renew", hang), nil)
		mustRelease(t, held)
		l := ws[0].granted(t)
		until := l.ValidUntil()
		<-l.Context().Done()
		if gap := time.Until(until); gap < DefaultTTL/marginPart {
			t.Errorf("told %v before its end", gap)
		}
		wantLost(t, l.Err(), Expired)
		_ = l.Release()
	})
}

// A grant that comes too late is asked for once more before its caller is told that the store is too slow.
func TestGrantThatComesTooLateIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		late := slow(DefaultTTL * 9 / 10)
		f.set(nil, only("acquire", late))
		w := start(m.Lock("db"))
		sleep(DefaultTTL / 2)
		f.set(nil, nil) // for the next answer
		sleep(DefaultTTL / 2)
		l := w.granted(t)
		if left := time.Until(l.ValidUntil()); left < DefaultTTL/2 {
			t.Errorf("valid for %v", left)
		}
		mustRelease(t, l)
		synctest.Wait()
		if n := f.held("db"); n != 0 {
			t.Errorf("the store still keeps %d grants", n)
		}
	})
}

// The store is told what a grant must be good for.
func TestStoreIsToldTheLeastValidity(t *testing.T) {
	c, err := newConfig([]Option{WithTTL(time.Minute), WithStopMargin(5 * time.Second), WithMinHold(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{m: &Manager{cfg: c}, cap: 1}
	if q := k.storeRequest(&request{weight: 1}); q.MinValid != 6*time.Second {
		t.Errorf("the least validity is %v", q.MinValid)
	}
}
