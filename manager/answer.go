package manager

import (
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// answer is what one goroutine waits for and an actor gives. It costs nothing until the goroutine
// has to wait: an actor in whose turn the caller runs has answered before.
type answer struct{ signal atomic.Pointer[signal] }

// signal wakes one goroutine. Its channel has room for one, so that no actor waits for a caller.
type signal struct {
	wake chan struct{}
	once bool // not returned to the pool
}

func newSignal() *signal {
	return &signal{wake: make(chan struct{}, 1), once: bubbles.MadeInside()}
}

// settled stands in the place of a signal when the answer is there.
var settled = &signal{}

// settle says that the answer is there.
func (a *answer) settle() {
	if s := a.signal.Swap(settled); s != nil && s != settled {
		s.wake <- struct{}{}
	}
}

// reset makes room for another answer.
func (a *answer) reset() { a.signal.Store(nil) }

// await returns true when the answer is there. When done is closed before, it calls left, which
// decides between the answer and the end of the wait: if it reports true, the answer will not come,
// and await returns false. Without left it returns false, and the answer may come later.
func (a *answer) await(m *Manager, done <-chan struct{}, left func() bool) bool {
	if a.signal.Load() == settled {
		return true
	}
	s := m.borrow()
	if !a.signal.CompareAndSwap(nil, s) {
		m.restore(s)
		return true
	}
	select {
	case <-s.wake:
	case <-done:
		if left == nil {
			return false // s may still be sent on
		}
		if left() {
			m.restore(s) // no actor sends on it any more
			return false
		}
		<-s.wake
	}
	m.restore(s)
	return true
}

// borrow returns a signal for a goroutine that has to wait. The caller restores it, once no actor
// can send on it any more.
func (m *Manager) borrow() *signal {
	if m.away() {
		return newSignal()
	}
	return m.signals.Get().(*signal)
}

func (m *Manager) restore(s *signal) {
	if !s.once {
		m.signals.Put(s)
	}
}
