package primitives

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A cancel races the grant. Exactly one of them must win: an error means that the next in
// line is served, and the race must leave nothing behind.
func TestACancelRacesTheGrant(t *testing.T) {
	var m Mutex
	var wonByCancel, wonByGrant int
	turn := make(chan context.CancelFunc)
	raced := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for cancel := range turn {
			pause(rand.IntN(2_000))
			cancel()
			raced <- struct{}{}
		}
	})
	for range rounds(1_000_000) {
		ctx, cancel := context.WithCancel(context.Background())
		_ = m.Lock(context.Background())
		result := make(chan error, 1)
		go func() { result <- m.Lock(ctx) }()
		turn <- cancel
		m.Unlock()
		if err := <-result; err == nil {
			wonByGrant++
			m.Unlock()
		} else {
			wonByCancel++
		}
		if !m.TryLock() {
			t.Fatal("after the race the mutex is not free")
		}
		m.Unlock()
		<-raced
	}
	close(turn)
	wg.Wait()
	atRest(t, &m.gate)
	if wonByCancel == 0 || wonByGrant == 0 {
		t.Logf("no race: cancel won %d times, the grant %d times", wonByCancel, wonByGrant)
	}
}

// Cancel and release at the same instant: the context wins, the next in line is served.
func TestATieIsWonByTheContext(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			var m Mutex
			_ = m.Lock(t.Context())
			ctx, cancel := context.WithCancel(t.Context())
			first, second := make(chan error, 1), make(chan error, 1)
			go func() { first <- m.Lock(ctx) }()
			synctest.Wait()
			go func() { second <- m.Lock(t.Context()) }()
			synctest.Wait()
			m.Unlock()
			cancel() // before the first in line can have run, or just after
			err := <-first
			if err == nil {
				m.Unlock()
			} else if !errors.Is(err, context.Canceled) {
				t.Errorf("first: %v", err)
			}
			if err := <-second; err != nil {
				t.Errorf("second: %v", err)
			}
			m.Unlock()
			atRest(t, &m.gate)
		})
	}
}

func TestAGrantFoundWithADoneContextIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(3)
		_ = s.Acquire(t.Context(), 3)
		ctx, cancel := context.WithCancel(t.Context())
		first := acquired(ctx, s, 3)
		second := acquired(t.Context(), s, 2)
		// The keeper is kept from answering: the cancel waits for it, the release comes first.
		s.gate.keeper.Enter()
		s.Release(3)
		cancel()
		synctest.Wait()
		s.gate.keeper.Leave(&s.gate)
		if got := settled(first); got != context.Canceled { //nolint:errorlint // the very value
			t.Errorf("first: %v", got)
		}
		if got := settled(second); got != nil {
			t.Errorf("second: %v", got)
		}
		s.Release(2)
		atRest(t, &s.gate)
	})
}

// A waiter is granted after it has sent word that it wants to leave, and before the keeper has
// read that. Whoever has the waiter next, perhaps at another gate, must not be taken out of its line.
func TestAWaiterIsNotReusedBeforeItsWishToLeaveIsRead(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one pool
	s := NewSemaphore(1)
	_ = s.Acquire(t.Context(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Acquire(ctx, 1) }()
	awaitQueue(&s.gate, 1)
	s.gate.wakeKeeper() // from the inbox into the line
	if !s.gate.keeper.Enter() {
		t.Fatal("somebody else has the turn")
	}
	w := s.gate.line.front
	cancel()
	for s.gate.inbox.empty() {
		runtime.Gosched()
	}
	s.gate.line.remove(w) // a hand-over, as in release
	w.word = uint64(granted)
	w.ready <- struct{}{}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("granted with a done context: %v", err)
	}
	for range 10 {
		if newWaiter(acquiring, limit) == w {
			t.Error("the waiter is somebody else's, and a message about it is still to be read")
		}
	}
	s.gate.keeper.Leave(&s.gate)
	atRest(t, &s.gate)
}

// Likewise a batch: of two members one is called, then the other gives up as the last who waits, and then the first comes.
func TestABatchIsNotReusedBeforeItsEndIsRead(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one pool
	var m Mutex
	_ = m.Lock(t.Context())
	came := make(chan struct{})
	go func() { _ = m.Lock(context.Background()); close(came) }()
	awaitQueue(&m.gate, 1)
	m.gate.wakeKeeper() // into the line
	w := m.gate.enlist()
	if handed, _ := m.gate.callNominee(); w != m.gate.line.front || !handed {
		t.Fatal("nobody is called")
	}
	if !m.gate.keeper.Enter() {
		t.Fatal("somebody else has the turn")
	}
	if !m.gate.cancelMember(w) {
		t.Fatal("the one that sleeps was called, and this one cannot quit")
	}
	<-came
	for range 10 {
		if newBatch() == w {
			t.Error("the batch is another, and a message about it is still to be read")
		}
	}
	m.gate.keeper.Leave(&m.gate)
	m.gate.wakeKeeper()
	m.Unlock()
	atRest(t, &m.gate)
}

// One that has pushed a batch is held up before it sets the flags; another joins the batch and sleeps.
// Nobody may overtake that one.
func TestWhoJoinsABatchAnnouncesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mutex
		_ = m.Lock(t.Context())
		w := newBatch()
		m.gate.inbox.push(w)
		came := make(chan error, 1)
		go func() { came <- m.Lock(t.Context()) }()
		synctest.Wait()
		if got := w.batch.Load() & waiting; got != 2 {
			t.Fatalf("%d wait in the batch", got)
		}
		m.Unlock()
		if m.TryLock() {
			t.Fatal("overtook one that sleeps in the queue")
		}
		m.gate.announce(limit, false)
		if err := <-came; err != nil {
			t.Error(err)
		}
		m.Unlock()
		<-w.ready
		w.come()
		m.Unlock()
		atRest(t, &m.gate)
	})
}

// Those who come one after the other share one waiter, whether the first is still in the inbox or in
// the line, and are called without a turn.
func TestWaitersShareABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mutex
		_ = m.Lock(t.Context())
		for i := range 4 {
			go func() { _ = m.Lock(t.Context()); m.Unlock() }()
			synctest.Wait()
			if i == 1 {
				m.gate.wakeKeeper() // from the inbox into the line
			}
		}
		w := m.gate.line.front
		if w == nil || w.next != nil || !m.gate.inbox.empty() || w.batch.Load()&waiting != 4 || m.gate.nominee.Load() != w {
			t.Fatal("four who came one after the other are not one batch, or it is not the nominee")
		}
		if handed, _ := m.gate.callNominee(); !handed {
			t.Fatal("a turn is needed to hand over")
		}
		synctest.Wait()
		atRest(t, &m.gate)
	})
}

// Members come and go, so that batches are used again and again, here and at another gate.
func TestBatchesAreReused(t *testing.T) {
	var a, b Mutex
	var wg sync.WaitGroup
	inA, inB := 0, 0
	for range 8 {
		wg.Go(func() {
			for i := range rounds(200_000) {
				ctx, cancel := context.WithCancel(context.Background())
				if i%5 == 0 {
					go cancel()
				}
				if a.Lock(ctx) == nil {
					inA++
					a.Unlock()
				}
				if b.Lock(ctx) == nil {
					inB++
					b.Unlock()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	atRest(t, &a.gate)
	atRest(t, &b.gate)
	if inA == 0 || inB == 0 {
		t.Errorf("granted: %d and %d", inA, inB)
	}
}

// Somebody unlocks a mutex that has been handed to one who has not woken up yet: nobody holds it then, and it is told so.
func TestUnlockOfAMutexThatIsOnItsWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // nobody wakes up until this goroutine waits
	for range rounds(10_000) {
		var m Mutex
		_ = m.Lock(t.Context())
		const waiters = 3
		came := make(chan struct{}, waiters)
		for range waiters {
			go func() {
				if m.Lock(context.Background()) == nil {
					came <- struct{}{}
				}
			}()
		}
		awaitQueue(&m.gate, waiters)
		m.gate.wakeKeeper() // into the line
		m.Unlock()
		if got := panics(m.Unlock); !strings.Contains(got, "unlocked Mutex") {
			t.Fatalf("Unlock of a Mutex that is on its way panics with %q", got)
		}
		for range waiters {
			<-came
			m.Unlock()
		}
		atRest(t, &m.gate)
	}
}

func TestCancelledAcquiresLeaveNothing(t *testing.T) {
	const goroutines = 8
	before := runtime.NumGoroutine()
	var m Mutex
	_ = m.Lock(t.Context())
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds(1_000_000) / goroutines {
				ctx, cancel := context.WithCancel(context.Background())
				stop := context.AfterFunc(ctx, func() {})
				go cancel()
				if m.Lock(ctx) == nil {
					t.Error("granted, though it is held")
				}
				stop()
			}
		})
	}
	wg.Wait()
	if n := queueLength(&m.gate); n != 0 {
		t.Errorf("%d are left in the queue", n)
	}
	for s := m.gate.word.Load(); s != limit; s = m.gate.word.Load() {
		runtime.Gosched() // the keeper is on its way home
	}
	m.Unlock()
	atRest(t, &m.gate)
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // hangs if one is left
	}
}

// As many cancels as waiters, from back to front and so on: if one cost more the longer
// the queue is, this would take hours.
func TestACancelDoesNotSearchTheQueue(t *testing.T) {
	n := rounds(100_000)
	var m Mutex
	_ = m.Lock(t.Context())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range n {
		wg.Go(func() {
			if m.Lock(ctx) != nil {
				failed.Add(1)
			}
		})
	}
	awaitQueueAtLeast(&m.gate, n)
	cancel()
	wg.Wait()
	if got := failed.Load(); got != int64(n) {
		t.Errorf("%d of %d were cancelled", got, n)
	}
	m.Unlock()
	atRest(t, &m.gate)
}

// awaitQueueAtLeast is awaitQueue for long queues: it lets many come between two counts.
func awaitQueueAtLeast(g *gate, n int) {
	for queueLength(g) < n {
		for range 1000 {
			runtime.Gosched()
		}
	}
}

func TestAMillionWaitersAreGrantedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := rounds(1_000_000)
		var m Mutex
		_ = m.Lock(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		next, wrong := 0, 0
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if m.Lock(ctx) != nil || next != i {
					wrong++
				}
				next++
				m.Unlock()
			})
			synctest.Wait() // it sleeps now
		}
		m.Unlock()
		wg.Wait()
		if next != n || wrong != 0 {
			t.Errorf("%d of %d were granted, %d out of order", next, n, wrong)
		}
		atRest(t, &m.gate)
	})
}

// Everything at once: acquires of all sizes, tries, cancels. Nothing may be left of it.
func TestAStormLeavesTheGateAtRest(t *testing.T) {
	const size = 10
	s := NewSemaphore(size)
	var held atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range rounds(50_000) {
				n := rand.Int64N(size) + 1
				if rand.IntN(3) == 0 {
					n = 1
				}
				ctx, cancel := context.WithCancel(context.Background())
				if i%2 == 0 {
					go cancel()
				}
				ok := i%7 == 0 && s.TryAcquire(n)
				if ok || s.Acquire(ctx, n) == nil {
					if h := held.Add(n); h > size {
						t.Errorf("%d permits are held, of %d", h, size)
					}
					held.Add(-n)
					s.Release(n)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	atRest(t, &s.gate)
}

func TestOneProcessorIsEnough(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t.Run("Mutex", TestMutexExcludes)
	t.Run("RWMutex", TestWritersExcludeAndReadersShare)
	t.Run("Storm", TestAStormLeavesTheGateAtRest)
	t.Run("Overtaking", TestNobodyOvertakesAWaiter)
}

func TestBusyGoroutinesDoNotStarveAQueue(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				pause(1000)
			}
		})
	}
	TestACancelledFrontWaiterLetsTheNextOnesIn(t)
	var m Mutex
	_ = m.Lock(t.Context())
	wg.Go(func() { _ = m.Lock(t.Context()); m.Unlock(); stop.Store(true) })
	awaitQueue(&m.gate, 1)
	m.Unlock()
	wg.Wait()
	atRest(t, &m.gate)
}
