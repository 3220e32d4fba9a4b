package primitives

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// stress makes locks, lets a few goroutines meet at each in all the ways that the protocol
// knows, and looks whether anything is wrong or left. What it is good for is seen
// by the mutants of the protocol, each of which it must catch. It calls begin before each lock.
func stress(t *testing.T, locks int, begin func(lock int)) {
	for i := range locks {
		begin(i)
		meet(t, 1+i%4, (*meeting).visit)
		if i%8 == 0 {
			meet(t, 4, (*meeting).crowd)
		}
		meetToRead(t, 1+i%4)
		meetToShare(t, 1+i%4)
		if i%8 == 0 {
			inOrder(t)
			atOnce(t)
		}
		if t.Failed() {
			t.Fatalf("at lock %d", i)
		}
	}
}

func TestAFewMeetInAllWays(t *testing.T) { stress(t, rounds(50_000), func(int) {}) }

// A meeting is a mutex and what is known of its holders.
type meeting struct {
	*testing.T
	mutex   Mutex
	inside  atomic.Int32
	entries int // guarded by mutex
	exits   atomic.Int32
}

// meet runs what on some goroutines and on this one, and then looks at what is left.
func meet(t *testing.T, others int, what func(*meeting)) {
	m := &meeting{T: t}
	var wg sync.WaitGroup
	for range others {
		wg.Go(func() { what(m) })
	}
	what(m)
	wg.Wait()
	if !m.mutex.TryLock() {
		t.Error("nobody holds the mutex, and it is not free")
		return
	}
	if m.entries != int(m.exits.Load()) {
		t.Errorf("%d entered, %d left: there were two holders", m.entries, m.exits.Load())
	}
	m.mutex.Unlock()
}

// hold is the critical section.
func (m *meeting) hold() {
	if m.inside.Add(1) != 1 {
		m.Error("there are two holders")
	}
	m.entries++
	if m.entries%2 == 0 {
		runtime.Gosched() // others come and queue
	}
	m.exits.Add(1)
	m.inside.Add(-1)
	m.mutex.Unlock()
}

// visit comes once or twice, in a random way. Whoever comes last finds no help from those who come after.
func (m *meeting) visit() {
	for range 1 + rand.IntN(2) {
		switch rand.IntN(4) {
		case 0:
			if m.mutex.TryLock() {
				m.hold()
			}
		case 1:
			if m.mutex.Lock(context.Background()) == nil {
				m.hold()
			}
		default:
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			if m.mutex.Lock(ctx) == nil {
				m.hold()
			}
		}
	}
}

// crowd comes again and again, so that there is a queue.
func (m *meeting) crowd() {
	for range 20 {
		if m.mutex.Lock(context.Background()) == nil {
			m.hold()
		}
	}
}

// A library is an RWMutex and what is known of those who have it.
type library struct {
	*testing.T
	mutex RWMutex
	in    atomic.Int64 // what each counts as, added up
	value int          // guarded by mutex
}

// What those count as who are in a library: so no sum of the smaller ones is a larger one.
const (
	aReader      = 1
	anUpgradable = 1_000
	aWriter      = 1_000_000
)

func meetToRead(t *testing.T, others int) {
	l := &library{T: t}
	var wg sync.WaitGroup
	for range others {
		wg.Go(l.visit)
	}
	l.visit()
	wg.Wait()
	if !l.mutex.TryLock() {
		t.Error("nobody has the lock, and it is not free")
		return
	}
	l.mutex.Unlock()
}

// visit comes once or twice, in a random way.
func (l *library) visit() {
	for range 1 + rand.IntN(2) {
		ctx, cancel := context.WithCancel(context.Background())
		if rand.IntN(3) == 0 {
			go cancel()
		}
		switch rand.IntN(5) {
		case 0:
			l.write(ctx)
		case 1:
			l.upgrade(ctx)
		default:
			l.read(ctx)
		}
		cancel()
	}
}

// come counts the caller in, and fails if there are more with it than there may be.
func (l *library) come(as, most int64) {
	if n := l.in.Add(as); n > most {
		l.Errorf("%d came in, and then there are %d", as, n)
	}
	if rand.IntN(2) == 0 {
		runtime.Gosched() // others come and queue
	}
}

func (l *library) read(ctx context.Context) {
	if l.mutex.RLock(ctx) == nil {
		l.come(aReader, aWriter-1)
		_ = l.value
		l.in.Add(-aReader)
		l.mutex.RUnlock()
	}
}

func (l *library) write(ctx context.Context) {
	if l.mutex.Lock(ctx) == nil {
		l.come(aWriter, aWriter)
		l.value++
		l.in.Add(-aWriter)
		l.mutex.Unlock()
	}
}

func (l *library) upgrade(ctx context.Context) {
	if l.mutex.UpgradeLock(ctx) != nil {
		return
	}
	l.come(anUpgradable, 2*anUpgradable-1)
	read := l.value
	if l.mutex.Upgrade(ctx) != nil {
		l.in.Add(-anUpgradable)
		l.mutex.UpgradeUnlock()
		return
	}
	l.come(aWriter-anUpgradable, aWriter)
	if l.value != read {
		l.Error("what an upgradeable reader read was changed before it wrote")
	}
	l.value++
	l.in.Add(-aWriter)
	l.mutex.Unlock()
}

// meetToShare is a semaphore of three permits, of which each wants some.
func meetToShare(t *testing.T, others int) {
	s := NewSemaphore(3)
	var held atomic.Int64
	visit := func() {
		for range 1 + rand.IntN(2) {
			ctx, cancel := context.WithCancel(context.Background())
			if rand.IntN(3) == 0 {
				go cancel()
			}
			if n := 1 + rand.Int64N(3); s.Acquire(ctx, n) == nil {
				if held.Add(n) > 3 {
					t.Error("more permits are held than there are")
				}
				if rand.IntN(2) == 0 {
					runtime.Gosched() // others come and queue
				}
				held.Add(-n)
				s.Release(n)
			}
			cancel()
		}
	}
	var wg sync.WaitGroup
	for range others {
		wg.Go(visit)
	}
	visit()
	wg.Wait()
	if !s.TryAcquire(3) {
		t.Error("nobody holds a permit, and they are not free")
	}
}

// inOrder has a writer and an upgradeable reader sleep in a queue, one behind the other, and another writer come
// just when the keeper takes the reader from the inbox.
func inOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m RWMutex
		_ = m.Lock(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		var order []string
		var mu sync.Mutex
		come := func(ctx context.Context, name string, lock func(context.Context) error, unlock func()) {
			if lock(ctx) == nil {
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				unlock()
			}
		}
		go come(t.Context(), "first", m.Lock, m.Unlock)
		synctest.Wait()
		m.gate.wakeKeeper() // from the inbox into the line
		go come(t.Context(), "second", m.UpgradeLock, m.UpgradeUnlock)
		synctest.Wait()
		go come(ctx, "nobody", m.UpgradeLock, m.UpgradeUnlock)
		synctest.Wait()
		cancel()
		go come(t.Context(), "third", func(ctx context.Context) error {
			for range rand.IntN(8) {
				runtime.Gosched()
			}
			return m.Lock(ctx)
		}, m.Unlock)
		synctest.Wait()
		m.Unlock()
		synctest.Wait()
		if len(order) != 3 || order[0] != "first" || order[1] != "second" || order[2] != "third" {
			t.Errorf("they came in the order %q", order)
		}
	})
}

// atOnce has a writer that waits for a reader give up, so that the reader behind it enters.
func atOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m RWMutex
		_ = m.RLock(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = m.Lock(ctx) }()
		synctest.Wait()
		came := false
		go func() {
			_ = m.RLock(t.Context())
			came = true
			m.RUnlock()
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !came {
			t.Error("a reader waits, and there is only another reader")
		}
		m.RUnlock()
	})
}
