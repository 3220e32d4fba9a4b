package primitives

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// stress makes locks, lets a few goroutines meet at each in all the ways that the protocol
// knows, and looks whether anything is wrong or left. What it is good for is seen
// by the mutants of the protocol, each of which it must catch.
func stress(t *testing.T, locks int) {
	for i := range locks {
		meet(t, 1+i%4, (*meeting).visit)
		if i%8 == 0 {
			meet(t, 4, (*meeting).crowd)
		}
		if t.Failed() {
			t.Fatalf("at lock %d", i)
		}
	}
}

func TestAFewMeetInAllWays(t *testing.T) { stress(t, rounds(50_000)) }

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
