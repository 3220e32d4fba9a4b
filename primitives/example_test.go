package primitives_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/primitives"
)

func ExampleMutex() {
	var m primitives.Mutex
	ctx := context.Background()
	balance := 0
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := m.Lock(ctx); err != nil {
				return // not held
			}
			defer m.Unlock()
			balance += 10
		})
	}
	wg.Wait()
	fmt.Println(balance)
	// Output: 100
}

// A wait ends with its context, and says why.
func ExampleMutex_Lock_timeout() {
	var m primitives.Mutex
	_ = m.Lock(context.Background()) // somebody holds it

	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond,
		errors.New("the customer has gone"))
	defer cancel()
	err := m.Lock(ctx)
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// context deadline exceeded: the customer has gone
	// true
}

func ExampleMutex_Locker() {
	var m primitives.Mutex
	full := sync.NewCond(m.Locker())
	items := 0
	go func() {
		full.L.Lock()
		items = 3
		full.L.Unlock()
		full.Signal()
	}()
	full.L.Lock()
	for items == 0 {
		full.Wait()
	}
	full.L.Unlock()
	fmt.Println(items)
	// Output: 3
}

// A writer publishes a new version, and goes on reading it without letting another writer in.
func ExampleRWMutex_Downgrade() {
	var m primitives.RWMutex
	version := 1
	_ = m.Lock(context.Background())
	version++
	m.Downgrade()
	fmt.Println("a writer can enter:", m.TryLock())
	fmt.Println("a reader can enter:", m.TryRLock())
	fmt.Println("version", version)
	m.RUnlock()
	m.RUnlock()
	// Output:
	// a writer can enter: false
	// a reader can enter: true
	// version 2
}

// At most 3 of 8 workers are at work at any time. The last line waits for all of them.
func ExampleSemaphore() {
	const workers = 3
	ctx := context.Background()
	s := primitives.NewSemaphore(workers)
	results := make([]int, 8)
	for i := range results {
		if err := s.Acquire(ctx, 1); err != nil {
			return
		}
		go func() {
			defer s.Release(1)
			results[i] = i * i
		}()
	}
	if err := s.Acquire(ctx, workers); err != nil {
		return
	}
	fmt.Println(results)
	// Output: [0 1 4 9 16 25 36 49]
}

func ExampleSemaphore_Resize() {
	s := primitives.NewSemaphore(2)
	fmt.Println(s.TryAcquire(2), s.TryAcquire(1))
	s.Resize(3)
	fmt.Println(s.TryAcquire(1))
	s.Resize(1) // three are held: nobody loses any, nobody gets any
	s.Release(2)
	fmt.Println(s.TryAcquire(1))
	s.Release(1)
	fmt.Println(s.TryAcquire(1))
	fmt.Println(s.Acquire(context.Background(), 2))
	// Output:
	// true false
	// true
	// false
	// true
	// primitives: more permits than the capacity
}
