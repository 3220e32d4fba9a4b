package primitives

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// condAtRest fails unless nobody waits at c, and its keeper is at home.
func condAtRest(t *testing.T, c *Cond) {
	t.Helper()
	for !c.keeper.Enter() {
		runtime.Gosched()
	}
	if !c.inbox.empty() || c.line.front != nil || c.line.back != nil {
		t.Error("somebody is left in the line")
	}
	c.keeper.Leave((*condKeeper)(c))
	if n := c.waiting.Load(); n != 0 {
		t.Errorf("%d are counted as waiting", n)
	}
	atRest(t, &c.mutex.gate)
}

// sleepers has goroutines wait at a Cond one after the other, and notes who comes back.
type sleepers struct {
	m    Mutex
	c    *Cond
	back []int // guarded by m
	errs map[int]error
}

func newSleepers() *sleepers {
	s := &sleepers{errs: map[int]error{}}
	s.c = NewCond(&s.m)
	return s
}

func (s *sleepers) add(ctx context.Context, who int) {
	go func() {
		_ = s.m.Lock(context.Background())
		err := s.c.Wait(ctx)
		s.back = append(s.back, who)
		s.errs[who] = err
		s.m.Unlock()
	}()
	synctest.Wait()
}

func (s *sleepers) want(t *testing.T, back ...int) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(s.back, back) {
		t.Errorf("%v came back, want %v", s.back, back)
	}
}

func TestSignalsWakeInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		s.c.Signal()
		s.c.Broadcast() // nobody is there: neither is remembered
		for i := range 6 {
			s.add(t.Context(), i)
		}
		s.want(t)
		s.c.Signal()
		s.want(t, 0)
		_ = s.m.Lock(t.Context())
		s.c.Signal()
		s.c.Signal()
		s.want(t, 0) // they are woken, but the mutex is held
		s.m.Unlock()
		s.want(t, 0, 1, 2)
		s.c.Broadcast()
		s.want(t, 0, 1, 2, 3, 4, 5)
		condAtRest(t, s.c)
	})
}

// Those who are woken queue for the mutex at the signal: before those who come later.
// A goroutine that signals while the keeper is busy leaves its wake-up to the keeper.
func TestASignalWhileTheKeeperIsBusyIsHandledByTheKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		s.add(context.Background(), 1)
		s.add(context.Background(), 2)
		if !s.c.keeper.Enter() {
			t.Fatal("the keeper is not at rest")
		}
		s.c.Signal()
		s.want(t) // while the keeper is busy
		s.c.keeper.Leave((*condKeeper)(s.c))
		s.want(t, 1)
		s.c.Signal()
		s.want(t, 1, 2)
		condAtRest(t, s.c)
	})
}

func TestTheWokenQueueForTheMutexAtTheSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		s.add(t.Context(), 0)
		s.add(t.Context(), 1)
		_ = s.m.Lock(t.Context())
		s.c.Broadcast()
		go func() {
			_ = s.m.Lock(t.Context())
			s.back = append(s.back, 9)
			s.m.Unlock()
		}()
		synctest.Wait()
		s.m.Unlock()
		s.want(t, 0, 1, 9)
		condAtRest(t, s.c)
	})
}

func TestACancelledWaitHoldsTheMutexAndUsesNoSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		ctx, cancel := context.WithCancelCause(t.Context())
		s.add(ctx, 0)
		s.add(t.Context(), 1)
		_ = s.m.Lock(t.Context())
		cancel(errShift)
		s.want(t) // it waits for the mutex, which it must hold to return
		s.c.Signal()
		s.m.Unlock()
		synctest.Wait()
		if len(s.back) != 2 {
			t.Fatalf("%v came back: the signal was swallowed", s.back)
		}
		if err := s.errs[0]; !errors.Is(err, context.Canceled) || !errors.Is(err, errShift) {
			t.Errorf("the cancelled one got %v", err)
		}
		if err := s.errs[1]; err != nil {
			t.Errorf("the other one got %v", err)
		}
		condAtRest(t, s.c)
	})
}

func TestASignalThatCameBeforeTheEndOfTheContextCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSleepers()
		ctx, cancel := context.WithCancel(t.Context())
		s.add(ctx, 0)
		_ = s.m.Lock(t.Context())
		s.c.Signal()
		cancel()
		synctest.Wait()
		s.m.Unlock()
		s.want(t, 0)
		if s.errs[0] != nil {
			t.Errorf("woken before the end of the context, but got %v", s.errs[0])
		}
		condAtRest(t, s.c)
	})
}

func TestAWaitThatCannotBeginChangesNothing(t *testing.T) {
	var m Mutex
	c := NewCond(&m)
	if got := panics(func() { _ = c.Wait(t.Context()) }); !strings.Contains(got, "not locked") {
		t.Errorf("without the mutex Wait panics with %q", got)
	}
	_ = m.Lock(t.Context())
	if err := c.Wait(done()); !errors.Is(err, errShift) {
		t.Errorf("with a done context: %v", err)
	}
	if err := c.Wait(nil); err == nil { //nolint:staticcheck // what is tested
		t.Error("with a nil context it waits")
	}
	if m.TryLock() {
		t.Error("the mutex was unlocked")
	}
	m.Unlock()
	condAtRest(t, c)
}

// Each signal is for an item. If one were swallowed by a wait that then fails, an item would
// lie there while somebody waits, for ever.
func TestNoSignalIsSwallowedByACancel(t *testing.T) {
	var m Mutex
	c := NewCond(&m)
	const takers = 8
	n := rounds(200_000)
	items, taken := 0, 0
	var cancelled atomic.Int64
	var wg sync.WaitGroup
	for range takers {
		wg.Go(func() {
			_ = m.Lock(t.Context())
			defer m.Unlock()
			for {
				for items == 0 && taken < n {
					ctx, cancel := context.WithCancel(context.Background())
					go cancel()
					err := c.Wait(ctx)
					cancel()
					if err == nil {
						continue
					}
					cancelled.Add(1)
					if items > 0 || taken == n {
						continue
					}
					if err := c.Wait(t.Context()); err != nil { // hangs if a signal is lost
						t.Errorf("Wait: %v", err)
					}
				}
				if taken == n {
					return
				}
				items--
				if taken++; taken == n {
					c.Broadcast()
				}
			}
		})
	}
	for range n {
		for c.waiting.Load() == 0 {
			runtime.Gosched() // so that there is a wait that is cancelled while it is signalled
		}
		_ = m.Lock(t.Context())
		items++
		m.Unlock()
		c.Signal()
	}
	wg.Wait()
	t.Logf("%d items, %d cancelled waits", n, cancelled.Load())
	condAtRest(t, c)
}

// Who signals takes the mutex at the very moment when a Wait lets go of it, for it does not queue
// but spins. A signal that came too early for the wait, and was missed, would leave it waiting.
func TestNoSignalIsMissedWhileAWaitBegins(t *testing.T) {
	var m Mutex
	c := NewCond(&m)
	n := rounds(100_000)
	wanted, left := false, n
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			_ = m.Lock(t.Context())
			for wanted = true; wanted; {
				_ = c.Wait(t.Context())
			}
			m.Unlock()
		}
	})
	for left > 0 {
		for range 1000 {
			if m.TryLock() {
				signal := wanted
				if wanted = false; signal {
					left--
				}
				m.Unlock()
				if signal {
					c.Signal()
				}
			}
		}
		runtime.Gosched()
	}
	wg.Wait()
	condAtRest(t, c)
}

// The cancel of the first races a signal. The second waits without end: it is woken if and only if
// the first was not.
func TestACancelRacesTheSignal(t *testing.T) {
	won, lost := 0, 0
	for range rounds(50_000) {
		var m Mutex
		c := NewCond(&m)
		ctx, cancel := context.WithCancel(context.Background())
		first, second := make(chan error, 1), make(chan error, 1)
		for i, result := range []chan error{first, second} {
			go func() {
				_ = m.Lock(t.Context())
				each := t.Context()
				if i == 0 {
					each = ctx
				}
				err := c.Wait(each)
				m.Unlock()
				result <- err
			}()
			for c.waiting.Load() != int64(i+1) {
				runtime.Gosched()
			}
		}
		_ = m.Lock(t.Context()) // both have released it: they wait
		m.Unlock()
		var wg sync.WaitGroup
		wg.Go(func() { pause(rand.IntN(2_000)); cancel() })
		wg.Go(func() { pause(rand.IntN(2_000)); c.Signal() })
		wg.Wait()
		if <-first == nil {
			won++
			select {
			case <-second:
				t.Fatal("one signal woke two")
			default:
			}
			c.Signal()
		} else {
			lost++
		}
		if err := <-second; err != nil { // hangs if the signal was swallowed
			t.Fatalf("the second: %v", err)
		}
		condAtRest(t, c)
	}
	t.Logf("%d signals, %d cancels won", won, lost)
}

func TestManyCancelledWaitsLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	n := rounds(100_000)
	var m Mutex
	c := NewCond(&m)
	ctx, cancel := context.WithCancel(context.Background())
	waiting := results(n, func() error {
		_ = m.Lock(t.Context())
		defer m.Unlock()
		return c.Wait(ctx)
	})
	for c.waiting.Load() != int64(n) {
		runtime.Gosched()
	}
	cancel()
	for range n {
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Fatalf("Wait: %v", err)
		}
	}
	condAtRest(t, c)
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // hangs if one is left
	}
}
