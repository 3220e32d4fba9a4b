package primitives

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func TestMutexExcludes(t *testing.T) {
	for _, goroutines := range []int{1, 2, 8, 64} {
		var m Mutex
		ctx, cancel := context.WithCancel(t.Context())
		counter := 0 // plain: the race detector sees two holders
		each := rounds(200_000) / goroutines
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range each {
					if err := m.Lock(ctx); err != nil {
						t.Error(err)
						return
					}
					counter++
					m.Unlock()
				}
			})
		}
		wg.Wait()
		cancel()
		if counter != each*goroutines {
			t.Errorf("%d goroutines counted %d, want %d: there were two holders", goroutines, counter, each*goroutines)
		}
		atRest(t, &m.gate)
	}
}

func TestMutexIsGrantedInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiters = 200
		var m Mutex
		var order []int
		if !m.TryLock() {
			t.Fatal("the zero value is locked")
		}
		for i := range waiters {
			go func() {
				if err := m.Lock(t.Context()); err != nil {
					t.Error(err)
				}
				order = append(order, i)
				m.Unlock()
			}()
			synctest.Wait() // it is queued now
		}
		m.Unlock()
		synctest.Wait()
		for i, who := range order {
			if i != who {
				t.Fatalf("place %d in the order went to waiter %d", i, who)
			}
		}
		if len(order) != waiters {
			t.Fatalf("%d of %d waiters were granted", len(order), waiters)
		}
		atRest(t, &m.gate)
	})
}

// Newcomers storm a mutex for which some are queued already. No newcomer may be granted
// before the last of those.
func TestNobodyOvertakesAWaiter(t *testing.T) {
	n := 50_000 // of queue + newcomers grants each
	if raceEnabled {
		n = 2_000 // where newcomers that try again and again cost most
	}
	synctest.Test(t, func(t *testing.T) {
		for range rounds(n) {
			storm(t)
		}
	})
}

// storm is one round of it.
func storm(t *testing.T) {
	const queue, newcomers = 20, 4
	var m Mutex
	var queueLeft, overtakes atomic.Int64
	queueLeft.Store(queue)
	next := 0
	if err := m.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range queue {
		wg.Go(func() {
			if err := m.Lock(t.Context()); err != nil {
				t.Error(err)
			}
			if next != i {
				t.Errorf("waiter %d was granted when it was the turn of %d", i, next)
			}
			next++
			queueLeft.Add(-1)
			m.Unlock()
		})
		synctest.Wait() // it sleeps now: that is what the order goes by
	}
	for n := range newcomers {
		wg.Go(func() {
			for granted := false; !granted; {
				if granted = m.TryLock(); !granted && n%2 == 0 {
					granted = m.Lock(context.Background()) == nil
				}
			}
			if queueLeft.Load() != 0 {
				overtakes.Add(1)
			}
			m.Unlock()
		})
	}
	m.Unlock()
	wg.Wait()
	if n := overtakes.Load(); n != 0 {
		t.Fatalf("%d of %d newcomers overtook the queue", n, newcomers)
	}
}

func TestADoneContextLosesEvenToAFreeLock(t *testing.T) {
	var m Mutex
	var rw RWMutex
	s := NewSemaphore(3)
	for name, acquire := range map[string]func(context.Context) error{
		"Mutex.Lock":        m.Lock,
		"RWMutex.Lock":      rw.Lock,
		"RWMutex.RLock":     rw.RLock,
		"Semaphore.Acquire": func(ctx context.Context) error { return s.Acquire(ctx, 1) },
		"Acquire of 0":      func(ctx context.Context) error { return s.Acquire(ctx, 0) },
	} {
		err := acquire(done())
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errShift) {
			t.Errorf("%s: error %v is not both context.Canceled and the cause", name, err)
		} else if !strings.Contains(err.Error(), errShift.Error()) {
			t.Errorf("%s: error %q does not say the cause", name, err)
		}
		plain, cancel := context.WithCancel(t.Context())
		cancel()
		if err := acquire(plain); err != context.Canceled { //nolint:errorlint // the very value, as semaphore.Weighted
			t.Errorf("%s: error %v, want context.Canceled itself", name, err)
		}
		if err := acquire(nil); err == nil { //nolint:staticcheck // that is the point
			t.Errorf("%s: a nil context was accepted", name)
		}
	}
	atRest(t, &m.gate)
	atRest(t, &rw.gate)
	atRest(t, &s.gate)
}

func TestAWaiterIsFreedByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mutex
		_ = m.Lock(t.Context())
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errShift)
		defer cancel()
		start := time.Now()
		err := m.Lock(ctx) // a second time: a Mutex is not re-entrant
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errShift) {
			t.Errorf("error %v is not both context.DeadlineExceeded and the cause", err)
		}
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %v, want a minute", waited)
		}
		if n := queueLength(&m.gate); n != 0 {
			t.Errorf("%d are left in the queue", n)
		}
		m.Unlock()
		atRest(t, &m.gate)
	})
}

func TestMisuseOfAMutexPanicsAndChangesNothing(t *testing.T) {
	var m Mutex
	for range 3 {
		if got := panics(m.Unlock); !strings.Contains(got, "unlocked Mutex") {
			t.Errorf("Unlock of an unlocked Mutex panics with %q", got)
		}
		atRest(t, &m.gate)
		_ = m.Lock(t.Context())
		m.Unlock()
	}
}

func TestAMutexServesACond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mutex
		c := sync.NewCond(m.Locker())
		ready, seen := false, false
		go func() {
			c.L.Lock()
			for !ready {
				c.Wait()
			}
			seen = true
			c.L.Unlock()
		}()
		synctest.Wait()
		_ = m.Lock(t.Context())
		ready = true
		m.Unlock()
		c.Broadcast()
		synctest.Wait()
		if !seen {
			t.Error("the waiter did not wake up")
		}
		atRest(t, &m.gate)
	})
}

func TestAnIdleLockIsSmall(t *testing.T) {
	for name, size := range map[string]uintptr{
		"Mutex":     unsafe.Sizeof(Mutex{}),
		"RWMutex":   unsafe.Sizeof(RWMutex{}),
		"Semaphore": unsafe.Sizeof(Semaphore{}),
	} {
		if size > 64 {
			t.Errorf("a %s takes %d bytes, want at most 64", name, size)
		}
	}
}

func TestUncontendedOperationsAllocateNothing(t *testing.T) {
	var m Mutex
	var rw RWMutex
	s := NewSemaphore(5)
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		_ = m.Lock(ctx)
		m.Unlock()
		_ = rw.RLock(ctx)
		rw.RUnlock()
		_ = rw.Lock(ctx)
		rw.Downgrade()
		rw.RUnlock()
		_ = s.Acquire(ctx, 3)
		s.Release(3)
		m.Locker().Lock()
		m.Locker().Unlock()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
