package manager

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
)

func TestChoreIsDoneOnceOrNotTaken(t *testing.T) {
	for range 2000 {
		var c chore
		var offered bool
		n := 0
		var both sync.WaitGroup
		both.Go(func() { offered = c.offer(func() { n++ }) })
		both.Go(c.do)
		both.Wait()
		if offered != (n == 1) {
			t.Fatalf("offered: %v, done %d times", offered, n)
		}
	}
}

func TestUncontendedCallsOfTheStoreRunOnTheCallersGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		if f.count("try") != 1 || f.count("acquire") != 0 {
			t.Errorf("%d tries and %d acquires, want one try", f.count("try"), f.count("acquire"))
		}
		mustRelease(t, l)
	})
}

func TestWastedTriesMakeTheKeeperWary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m, other := newManager(t, f), newManager(t, f.peer())
		const rounds = 100
		for range rounds { // every time, another process is there first
			theirs := mustAcquire(t, other.Lock("db"))
			w := start(m.Lock("db"))
			w.stillWaiting(t)
			mustRelease(t, theirs)
			mustRelease(t, w.granted(t))
		}
		if n := f.count("try"); n > 10 {
			t.Errorf("%d of %d acquires were tried first, in vain", n, rounds)
		}
	})
}

func TestCallerOfAHangingTryGoesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(only("try", hang), nil)
		ctx, cancel := context.WithCancel(context.Background())
		first := make(chan error, 1)
		go func() {
			_, err := m.Lock("db").Acquire(ctx)
			first <- err
		}()
		synctest.Wait()
		w := start(m.Lock("db")) // waits behind the hanging try
		w.stillWaiting(t)
		f.set(nil, nil)
		cancel()
		wantErr(t, <-first, context.Canceled)
		mustRelease(t, w.granted(t))
	})
}
