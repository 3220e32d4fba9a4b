package primitives

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
)

// global holds locks that are made outside every bubble, as those in a program's variables are.
var global = func() *variables {
	g := &variables{sem: NewSemaphore(2), barrier: NewBarrier(3), latch: NewLatch(4)}
	g.cond = NewCond(&g.mutex)
	return g
}()

type variables struct {
	mutex   Mutex
	rw      RWMutex
	sem     *Semaphore
	zeroSem Semaphore
	keyed   KeyedMutex[string]
	keyedRW KeyedRWMutex[string]
	cond    *Cond
	barrier *Barrier
	event   Event
	latch   *Latch
}

// inTurns runs use outside every bubble, in three bubbles one after the other, and outside again.
// In a bubble, a wait that is not durable stops the clock, and so the test.
func inTurns(t *testing.T, use func(t *testing.T)) {
	use(t)
	synctest.Test(t, use)
	synctest.Test(t, use)
	use(t)
	synctest.Test(t, use)
	use(t)
}

// aWhile is how long a lock is held: no real time in a bubble, and outside long enough for the
// others to queue.
const aWhile = 2 * time.Millisecond

// fight has six goroutines hold a lock for a while each, and a seventh cancel its wait.
func fight(t *testing.T, lock func(context.Context) error, unlock func()) {
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := lock(context.Background()); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(aWhile)
			unlock()
		})
	}
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), aWhile/2)
		defer cancel()
		if lock(ctx) == nil {
			unlock()
		}
	})
	wg.Wait()
}

func TestLocksWorkInOneBubbleAfterAnother(t *testing.T) {
	for name, use := range map[string]func(t *testing.T){
		"Mutex":     func(t *testing.T) { fight(t, global.mutex.Lock, global.mutex.Unlock) },
		"Locker":    func(t *testing.T) { fight(t, locker(global.mutex.Locker()), global.mutex.Unlock) },
		"RWMutex":   func(t *testing.T) { fight(t, global.rw.Lock, global.rw.Unlock) },
		"readers":   func(t *testing.T) { fight(t, global.rw.RLock, global.rw.RUnlock) },
		"upgrades":  upgradeAll,
		"Semaphore": func(t *testing.T) { fight(t, taking(global.sem, 2), func() { global.sem.Release(2) }) },
		"zero Semaphore": func(t *testing.T) {
			global.zeroSem.Resize(1)
			fight(t, taking(&global.zeroSem, 1), func() { global.zeroSem.Release(1) })
			global.zeroSem.Resize(0)
		},
		"KeyedMutex": func(t *testing.T) {
			fight(t, func(ctx context.Context) error { return global.keyed.Lock(ctx, "a") }, func() { global.keyed.Unlock("a") })
		},
		"KeyedRWMutex": func(t *testing.T) {
			fight(t, func(ctx context.Context) error { return global.keyedRW.Lock(ctx, "a") }, func() { global.keyedRW.Unlock("a") })
		},
		"Cond": signalAll,
	} {
		t.Run(name, func(t *testing.T) { inTurns(t, use) })
	}
	for _, g := range []*gate{&global.mutex.gate, &global.rw.gate, &global.sem.gate} {
		atRest(t, g)
	}
}

// A turn that began outside all bubbles still goes on when the lock is first used in a bubble.
func TestABubbleWaitsForATurnFromOutside(t *testing.T) {
	outside := func(keeper *actor.Activity, turner actor.Turner) {
		if !keeper.Enter() {
			t.Error("the keeper is not at rest")
		}
		time.AfterFunc(20*time.Millisecond, func() { keeper.Leave(turner) })
	}
	var mu Mutex
	outside(&mu.gate.keeper, &mu.gate)
	synctest.Test(t, func(t *testing.T) { fight(t, mu.Lock, mu.Unlock) })
	sem := NewSemaphore(2)
	outside(&sem.gate.keeper, &sem.gate)
	synctest.Test(t, func(t *testing.T) { fight(t, taking(sem, 2), func() { sem.Release(2) }) })
	cond := NewCond(&mu)
	outside(&cond.keeper, (*condKeeper)(cond))
	synctest.Test(t, func(t *testing.T) {
		done := false
		go func() {
			time.Sleep(aWhile)
			_ = mu.Lock(context.Background())
			done = true
			mu.Unlock()
			cond.Broadcast()
		}()
		_ = mu.Lock(context.Background())
		for !done {
			if err := cond.Wait(context.Background()); err != nil {
				t.Error(err)
			}
		}
		mu.Unlock()
	})
}

func locker(l sync.Locker) func(context.Context) error {
	return func(context.Context) error { l.Lock(); return nil }
}

func taking(s *Semaphore, n int64) func(context.Context) error {
	return func(ctx context.Context) error { return s.Acquire(ctx, n) }
}

func upgradeAll(t *testing.T) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { fight(t, global.rw.RLock, global.rw.RUnlock) })
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 3*aWhile)
			defer cancel()
			if global.rw.UpgradeLock(context.Background()) != nil {
				t.Error("no lock")
			}
			if global.rw.Upgrade(ctx) == nil {
				global.rw.DowngradeToUpgrade()
			}
			global.rw.UpgradeUnlock()
		})
	}
	wg.Wait()
}

// signalAll has some waiters woken, and others cancel.
func signalAll(t *testing.T) {
	var wg sync.WaitGroup
	woken := 0
	for i := range 4 {
		wg.Go(func() {
			ctx := context.Background()
			if i > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*aWhile)
				defer cancel()
			}
			_ = global.mutex.Lock(context.Background())
			defer global.mutex.Unlock()
			for global.cond.Wait(ctx) != nil && i == 0 {
			}
			woken++
		})
	}
	for done := false; !done; time.Sleep(aWhile) {
		global.cond.Signal()
		_ = global.mutex.Lock(context.Background())
		done = woken == 4
		global.mutex.Unlock()
	}
	wg.Wait()
	condAtRest(t, global.cond)
}

func TestABarrierWorksInOneBubbleAfterAnother(t *testing.T) {
	inTurns(t, func(t *testing.T) {
		for _, broken := range []bool{false, true, false} {
			var wg sync.WaitGroup
			ctx, cancel := context.WithTimeout(context.Background(), aWhile)
			for i := range 3 {
				if broken && i == 2 {
					break // it never comes
				}
				wg.Go(func() {
					time.Sleep(time.Duration(i) * aWhile / 2)
					if broken {
						if err := global.barrier.Wait(ctx); !errors.Is(err, ErrBroken) {
							t.Errorf("two of three parties: %v", err)
						}
					} else if err := global.barrier.Wait(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			cancel()
			if global.barrier.IsBroken() != broken {
				t.Errorf("broken: %v", !broken)
			}
			if broken {
				mend(t, global.barrier)
			}
		}
	})
}

// mend finds the barrier broken and resets it.
func mend(t *testing.T, b *Barrier) {
	t.Helper()
	if err := b.Wait(context.Background()); !errors.Is(err, ErrBroken) {
		t.Errorf("a broken barrier: %v", err)
	}
	b.Reset()
}

// A barrier that was broken in one bubble is still broken in the next, and can be reset there.
func TestABrokenBarrierLeavesItsBubble(t *testing.T) {
	b := NewBarrier(2)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Wait(ctx); !errors.Is(err, ErrBroken) {
			t.Errorf("one of two parties: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) { mend(t, b) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Wait(ctx); !errors.Is(err, ErrBroken) {
		t.Errorf("one of two parties, outside: %v", err)
	}
	synctest.Test(t, func(t *testing.T) { mend(t, b) })
}

// Waits that ended in one bubble, and channels of C that were left there, do not disturb the next.
func TestAnEventWorksInOneBubbleAfterAnother(t *testing.T) {
	use := func(t *testing.T, set bool) {
		ctx, cancel := context.WithTimeout(context.Background(), aWhile)
		defer cancel()
		if err := global.event.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an event that is not set: %v", err)
		}
		c := global.event.C()
		if !set {
			return // and leave the channel behind
		}
		var wg sync.WaitGroup
		wg.Go(func() { time.Sleep(aWhile); global.event.Set() })
		wg.Go(func() { <-c })
		if err := global.event.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		global.event.Reset()
	}
	inTurns(t, func(t *testing.T) { use(t, false) })
	inTurns(t, func(t *testing.T) { use(t, true) })
	synctest.Test(t, func(t *testing.T) { use(t, false) })
	global.event.Set() // no waiter is left
	if !global.event.IsSet() {
		t.Error("not set")
	}
	global.event.Reset()
}

// A waiter outside every bubble is woken, also if bubbles have used the event since.
func TestAnEventsWaitersOutsideSurviveBubbles(t *testing.T) {
	for _, setInside := range []bool{false, true} {
		var e Event
		outside := e.C()
		for range 2 {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if err := e.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("an event that is not set: %v", err)
				}
			})
		}
		if setInside {
			synctest.Test(t, func(*testing.T) { e.Set() })
		} else {
			e.Set()
		}
		<-outside
	}
}

func TestALatchOpensInAnotherBubble(t *testing.T) {
	inTurns(t, func(t *testing.T) {
		if global.latch.Count() > 0 {
			ctx, cancel := context.WithTimeout(context.Background(), aWhile)
			defer cancel()
			if err := global.latch.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d left to count: %v", global.latch.Count(), err)
			}
			time.AfterFunc(aWhile, func() { global.latch.CountDown(1) })
		}
		if global.latch.Count() > 1 {
			for was := global.latch.Count(); global.latch.Count() == was; time.Sleep(aWhile) {
			}
			return
		}
		if err := global.latch.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		<-global.latch.C()
	})
}

// The test binary of a main package need not look like a test by its name or build information.
const commandsTests = `package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/primitives"
)

func main() {}

func fight(t *testing.T) {
	s := primitives.NewSemaphore(1)
	var m primitives.Mutex
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { _ = m.Lock(context.Background()); time.Sleep(time.Millisecond); m.Unlock() })
		wg.Go(func() { _ = s.Acquire(context.Background(), 1); time.Sleep(time.Millisecond); s.Release(1) })
	}
	wg.Wait()
}

func TestOne(t *testing.T)   { synctest.Test(t, fight) }
func TestTwo(t *testing.T)   { synctest.Test(t, fight) }
func TestThree(t *testing.T) { fight(t) }
func TestFour(t *testing.T)  { synctest.Test(t, fight) }
`

// Such tests of a main package that uses no primitives.
const managersTests = `package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

func main() {}

var m, _ = manager.New(memory.New())

func fight(t *testing.T) {
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := m.Lock("a").Do(context.Background(), func(context.Context) error {
				time.Sleep(time.Millisecond)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	time.Sleep(time.Second)
}

func TestOne(t *testing.T)   { synctest.Test(t, fight) }
func TestTwo(t *testing.T)   { synctest.Test(t, fight) }
func TestThree(t *testing.T) { fight(t) }
func TestFour(t *testing.T)  { synctest.Test(t, fight) }
`

func TestLocksWorkInTheBubblesOfACommandsTests(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a test program of its own; not with -short")
	}
	for _, tests := range []string{commandsTests, managersTests} {
		list := overlay(t, map[string]string{"zz_command/main_test.go": tests})
		// The name of the binary shows that it is a test, or one of its flags does, or neither does.
		for _, args := range [][]string{{"command.test"}, {"program", "-test.timeout=1m"}, {"program"}} {
			args[0] = filepath.Join(t.TempDir(), args[0])
			run(t, "go", "test", "-c", "-vet=off", "-o", args[0], "-overlay", list, "./zz_command")
			if out := run(t, args[0], args[1:]...); !strings.Contains(out, "PASS") {
				t.Errorf("%s: %s", args, out)
			}
		}
	}
}
