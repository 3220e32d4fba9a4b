package manager

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
)

func TestWorkIsRunOnceOrNotTaken(t *testing.T) {
	m := newManager(t, newFake())
	for range 2000 {
		var c workSlot
		var offered bool
		n := 0
		op := &operation{todo: func(context.Context) { n++ }}
		var both sync.WaitGroup
		both.Go(func() { offered = c.offer(op) })
		both.Go(func() { c.do(m) })
		both.Wait()
		if offered != (n == 1) {
			t.Fatalf("offered: %v, done %d times", offered, n)
		}
	}
}

// A request costs the store one call, whether it is granted at once or has to wait.
func TestARequestCostsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m, other := newManager(t, f), newManager(t, f.peer())
		mustRelease(t, mustAcquire(t, m.Lock("db")))
		const rounds = 10
		for range rounds { // every time, another process is there first
			theirs := mustAcquire(t, other.Lock("db"))
			w := start(m.Lock("db"))
			w.stillWaiting(t)
			mustRelease(t, theirs)
			mustRelease(t, w.granted(t))
		}
		if n := f.count("acquire"); n != rounds+1 || f.count("try") != 0 {
			t.Errorf("%d acquires cost %d requests and %d tries", rounds+1, n, f.count("try"))
		}
	})
}

func TestABusyTryCostsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m, other := newManager(t, f), newManager(t, f.peer())
		mustAcquire(t, other.Lock("db"))
		for range 3 {
			wantBusy(t, m.Lock("db"))
		}
		if n := f.count("try"); n != 3 || f.count("acquire") != 0 {
			t.Errorf("3 tries cost %d tries and %d requests", n, f.count("acquire"))
		}
	})
}

func TestCallerThatRunsHangingWorkGoesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(only("acquire", hang), nil)
		ctx, cancel := context.WithCancel(context.Background())
		first := make(chan error, 1)
		go func() {
			_, err := m.Lock("db").Acquire(ctx)
			first <- err
		}()
		synctest.Wait()
		w := start(m.Lock("db")) // waits behind the hanging request
		w.stillWaiting(t)
		f.set(nil, nil)
		cancel()
		wantErr(t, <-first, context.Canceled)
		mustRelease(t, w.granted(t))
	})
}
