package primitives

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// Beside each member of the family runs what one would write without it. None of these
// baselines can be cancelled.

// BenchmarkUpgrade reads, then writes, in one critical section; beside it the writer's lock for
// all of it, which lets no readers in meanwhile.
func BenchmarkUpgrade(b *testing.B) {
	ctx := b.Context()
	b.Run("UpgradeLock", func(b *testing.B) {
		var m RWMutex
		for range b.N {
			_ = m.UpgradeLock(ctx)
			m.UpgradeUnlock()
		}
	})
	b.Run("UpgradeLock+Upgrade", func(b *testing.B) {
		var m RWMutex
		for range b.N {
			_ = m.UpgradeLock(ctx)
			_ = m.Upgrade(ctx)
			m.Unlock()
		}
	})
	b.Run("Lock", func(b *testing.B) {
		var m RWMutex
		for range b.N {
			_ = m.Lock(ctx)
			m.Unlock()
		}
	})
}

// BenchmarkLatch has 8 goroutines count down and one wait, the goroutines included.
func BenchmarkLatch(b *testing.B) {
	const n = 8
	ctx := b.Context()
	b.Run("Latch", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			l := NewLatch(n)
			for range n {
				go l.CountDown(1)
			}
			_ = l.Wait(ctx)
		}
	})
	b.Run("sync.WaitGroup", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			var wg sync.WaitGroup
			wg.Add(n)
			for range n {
				go wg.Done()
			}
			wg.Wait()
		}
	})
}

// BenchmarkEvent is a wait for what has happened already, and beside it a closed channel.
func BenchmarkEvent(b *testing.B) {
	ctx := b.Context()
	b.Run("Event", func(b *testing.B) {
		var e Event
		e.Set()
		for range b.N {
			_ = e.Wait(ctx)
		}
	})
	b.Run("channel", func(b *testing.B) {
		c := make(chan struct{})
		close(c)
		for range b.N {
			select {
			case <-c:
			case <-ctx.Done():
			}
		}
	})
}

// BenchmarkBarrier is one round of n parties; beside it a barrier of sync.Mutex and sync.Cond.
func BenchmarkBarrier(b *testing.B) {
	ctx := b.Context()
	for _, n := range []int{2, 8, 64} {
		b.Run(fmt.Sprintf("parties=%d/Barrier", n), func(b *testing.B) {
			outsideBubbles(b)
			barrier := NewBarrier(int64(n))
			inRounds(b, n, func() { _ = barrier.Wait(ctx) })
		})
		b.Run(fmt.Sprintf("parties=%d/sync.Cond", n), func(b *testing.B) {
			var m sync.Mutex
			c := sync.NewCond(&m)
			arrived, round := 0, 0
			inRounds(b, n, func() {
				m.Lock()
				defer m.Unlock()
				if arrived++; arrived == n {
					arrived = 0
					round++
					c.Broadcast()
					return
				}
				for mine := round; mine == round; {
					c.Wait()
				}
			})
		})
	}
}

func inRounds(b *testing.B, parties int, wait func()) {
	b.ReportAllocs()
	var wg sync.WaitGroup
	for range parties {
		wg.Go(func() {
			for range b.N {
				wait()
			}
		})
	}
	wg.Wait()
}

// BenchmarkCond hands a turn round n goroutines, each of which waits at a Cond of its own.
func BenchmarkCond(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, n := range []int{2, 64} {
		b.Run(fmt.Sprintf("goroutines=%d/Cond", n), func(b *testing.B) {
			outsideBubbles(b)
			var m Mutex
			conds := make([]*Cond, n)
			for i := range conds {
				conds[i] = NewCond(&m)
			}
			inTurn(b, n, m.Locker(), func(i int) { _ = conds[i].Wait(ctx) }, func(i int) { conds[i].Signal() })
		})
		b.Run(fmt.Sprintf("goroutines=%d/sync.Cond", n), func(b *testing.B) {
			var m sync.Mutex
			conds := make([]*sync.Cond, n)
			for i := range conds {
				conds[i] = sync.NewCond(&m)
			}
			inTurn(b, n, &m, func(i int) { conds[i].Wait() }, func(i int) { conds[i].Signal() })
		})
	}
	b.Run("nobody/Cond", func(b *testing.B) {
		c := NewCond(new(Mutex))
		for range b.N {
			c.Signal()
		}
	})
	b.Run("nobody/sync.Cond", func(b *testing.B) {
		c := sync.NewCond(new(sync.Mutex))
		for range b.N {
			c.Signal()
		}
	})
}

func inTurn(b *testing.B, n int, l sync.Locker, wait, signal func(int)) {
	b.ReportAllocs()
	turn := 0
	var wg sync.WaitGroup
	for me := range n {
		wg.Go(func() {
			l.Lock()
			defer l.Unlock()
			for turn < b.N {
				if turn%n == me {
					turn++
					signal(turn % n)
					continue
				}
				wait(me)
			}
			signal((me + 1) % n) // who sleeps is to see that it is over
		})
	}
	wg.Wait()
}

// A countedMutex is what one would write for KeyedMutex: a map of mutexes under one more.
type countedMutex struct {
	mu   sync.Mutex
	live map[int]*counted
}

type counted struct {
	sync.Mutex
	users int
}

func (m *countedMutex) Lock(key int) {
	m.mu.Lock()
	e := m.live[key]
	if e == nil {
		e = &counted{}
		m.live[key] = e
	}
	e.users++
	m.mu.Unlock()
	e.Lock()
}

func (m *countedMutex) Unlock(key int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.live[key]
	e.Unlock()
	if e.users--; e.users == 0 {
		delete(m.live, key)
	}
}

// BenchmarkKeyedMutex locks keys that are at rest, each goroutine its own ones, or two keys that
// all goroutines want.
func BenchmarkKeyedMutex(b *testing.B) {
	ctx := b.Context()
	for _, keys := range []int{2, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d/KeyedMutex", keys), func(b *testing.B) {
			outsideBubbles(b)
			var m KeyedMutex[int]
			overKeys(b, keys, func(key int) {
				_ = m.Lock(ctx, key)
				m.Unlock(key)
			})
		})
		b.Run(fmt.Sprintf("keys=%d/map", keys), func(b *testing.B) {
			m := countedMutex{live: map[int]*counted{}}
			overKeys(b, keys, func(key int) {
				m.Lock(key)
				m.Unlock(key)
			})
		})
	}
}

func overKeys(b *testing.B, keys int, visit func(key int)) {
	b.ReportAllocs()
	var started atomic.Int64
	b.RunParallel(func(p *testing.PB) {
		first := int(started.Add(1)) * keys / 4
		for i := first; p.Next(); i++ {
			visit(i % keys)
		}
	})
}

// A countedRWMutex is what one would write for KeyedRWMutex: a map of locks under a mutex.
type countedRWMutex struct {
	mu   sync.Mutex
	live map[int]*countedRW
}

type countedRW struct {
	sync.RWMutex
	users int
}

func (m *countedRWMutex) RLock(key int) {
	m.mu.Lock()
	e := m.live[key]
	if e == nil {
		e = &countedRW{}
		m.live[key] = e
	}
	e.users++
	m.mu.Unlock()
	e.RLock()
}

func (m *countedRWMutex) RUnlock(key int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.live[key]
	e.RUnlock()
	if e.users--; e.users == 0 {
		delete(m.live, key)
	}
}

// BenchmarkKeyedRWMutex reads keys that are at rest, each goroutine its own ones, or two keys that
// all goroutines read.
func BenchmarkKeyedRWMutex(b *testing.B) {
	ctx := b.Context()
	for _, keys := range []int{2, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d/KeyedRWMutex", keys), func(b *testing.B) {
			outsideBubbles(b)
			var m KeyedRWMutex[int]
			overKeys(b, keys, func(key int) {
				_ = m.RLock(ctx, key)
				m.RUnlock(key)
			})
		})
		b.Run(fmt.Sprintf("keys=%d/map", keys), func(b *testing.B) {
			m := countedRWMutex{live: map[int]*countedRW{}}
			overKeys(b, keys, func(key int) {
				m.RLock(key)
				m.RUnlock(key)
			})
		})
	}
}
