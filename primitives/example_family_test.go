package primitives_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/primitives"
)

// A cache: who finds the value missing makes it, and nobody makes it a second time meanwhile.
func ExampleRWMutex_Upgrade() {
	var m primitives.RWMutex
	values := map[string]int{}
	ctx := context.Background()

	get := func(key string) (int, error) {
		if err := m.UpgradeLock(ctx); err != nil {
			return 0, err
		}
		v, ok := values[key]
		if ok {
			m.UpgradeUnlock()
			return v, nil
		}
		v = len(key) // takes long; others go on reading
		if err := m.Upgrade(ctx); err != nil {
			m.UpgradeUnlock()
			return 0, err
		}
		values[key] = v // the key is still missing: no writer came in between
		m.Unlock()
		return v, nil
	}
	fmt.Println(get("answer"))
	fmt.Println(get("answer"))
	// Output:
	// 6 <nil>
	// 6 <nil>
}

// Work stops while the event is reset, and goes on when it is set.
func ExampleEvent() {
	var running primitives.Event
	results := make(chan int, 3)
	for i := range 3 {
		go func() {
			if running.Wait(context.Background()) == nil {
				results <- i * i
			}
		}()
	}
	fmt.Println("paused:", len(results))
	running.Set()
	fmt.Println("sum:", <-results+<-results+<-results)
	running.Reset()

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(running.Wait(ctx))
	// Output:
	// paused: 0
	// sum: 5
	// context deadline exceeded
}

// An event is one case of a select.
func ExampleEvent_C() {
	var shutdown primitives.Event
	jobs := make(chan string, 1)
	jobs <- "the last job"
	for {
		select {
		case job := <-jobs:
			fmt.Println(job)
			shutdown.Set()
		case <-shutdown.C():
			fmt.Println("shut down")
			return
		}
	}
	// Output:
	// the last job
	// shut down
}

func ExampleLatch() {
	const parts = 3
	ready := primitives.NewLatch(parts)
	var loaded [parts]string
	for i := range parts {
		go func() {
			loaded[i] = fmt.Sprint("part ", i)
			ready.CountDown(1)
		}()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := ready.Wait(ctx); err != nil {
		fmt.Println("not all are ready:", ready.Count(), "are missing")
		return
	}
	fmt.Println(loaded)
	// Output: [part 0 part 1 part 2]
}

// Two workers compute in rounds: each reads what the other wrote in the round before.
func ExampleBarrier() {
	const rounds = 5
	b := primitives.NewBarrier(2)
	ctx := context.Background()
	var values [2]int
	var wg sync.WaitGroup
	for me := range values {
		values[me] = me
		wg.Go(func() {
			for range rounds {
				if b.Wait(ctx) != nil { // both have written
					return
				}
				next := values[0] + values[1]
				if b.Wait(ctx) != nil { // both have read
					return
				}
				values[me] = next
			}
		})
	}
	wg.Wait()
	fmt.Println(values)
	// Output: [16 16]
}

// One gives up, so nobody passes, and all learn why.
func ExampleBarrier_broken() {
	b := primitives.NewBarrier(2)
	ctx, cancel := context.WithCancelCause(context.Background())
	other := make(chan error)
	go func() { other <- b.Wait(context.Background()) }()
	cancel(errors.New("the disk is full"))
	mine := b.Wait(ctx)
	theirs := <-other
	fmt.Println(mine)
	fmt.Println(errors.Is(mine, primitives.ErrBroken), errors.Is(mine, context.Canceled))
	fmt.Println(errors.Is(theirs, primitives.ErrBroken), errors.Is(theirs, context.Canceled))
	b.Reset()
	fmt.Println("broken:", b.IsBroken())
	// Output:
	// primitives: barrier broken: context canceled: the disk is full
	// true true
	// true false
	// broken: false
}

// A queue whose consumers can give up.
func ExampleCond() {
	var m primitives.Mutex
	notEmpty := primitives.NewCond(&m)
	var queue []string

	take := func(ctx context.Context) (string, error) {
		if err := m.Lock(ctx); err != nil {
			return "", err
		}
		defer m.Unlock()
		for len(queue) == 0 {
			if err := notEmpty.Wait(ctx); err != nil {
				return "", err // m is held, as the deferred Unlock expects
			}
		}
		first := queue[0]
		queue = queue[1:]
		return first, nil
	}
	put := func(item string) {
		m.Locker().Lock()
		queue = append(queue, item)
		m.Unlock()
		notEmpty.Signal()
	}

	go put("a parcel")
	fmt.Println(take(context.Background()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := take(ctx)
	fmt.Println(err)
	// Output:
	// a parcel <nil>
	// context deadline exceeded
}

// One transfer at a time for each account, any number of accounts at once.
func ExampleKeyedMutex() {
	var accounts primitives.KeyedMutex[string]
	balance := map[string]*int{"alice": new(int), "bob": new(int)}
	var wg sync.WaitGroup
	for name, b := range balance {
		for range 10 {
			wg.Go(func() {
				if err := accounts.Lock(context.Background(), name); err != nil {
					return
				}
				defer accounts.Unlock(name)
				*b += 10
			})
		}
	}
	wg.Wait()
	fmt.Println(*balance["alice"], *balance["bob"])
	// Output: 100 100
}

// Many read a page at once, and one at a time changes it; other pages are not held up.
func ExampleKeyedRWMutex() {
	ctx := context.Background()
	var pages primitives.KeyedRWMutex[string]
	text := map[string]*string{"home": new(string)}

	if err := pages.Lock(ctx, "home"); err != nil {
		return // not held
	}
	*text["home"] = "welcome"
	pages.Unlock("home")

	if err := pages.RLock(ctx, "home"); err != nil {
		return
	}
	fmt.Println(*text["home"], pages.TryRLock("home"), pages.TryLock("home"), pages.TryLock("news"))
	// Output: welcome true false true
}
