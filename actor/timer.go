package actor

import (
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// The states of a Timer. It leaves armed exactly once.
const (
	armed   uint32 = iota
	fired          // its message is being handled, or was
	stopped        // its message will never be handled
)

// A Timer is a message to come: see [Self.After] and [OnDemand.After].
type Timer struct {
	state   atomic.Uint32
	clock   *time.Timer
	bubbled bool // clock belongs to a synctest bubble
}

// newTimer returns a timer whose clock is still to be set.
func newTimer() *Timer { return &Timer{bubbled: bubbles.MadeInside()} }

// Stop takes the message back. True: it will never be handled, not even if its time
// has come and it already waits in the mailbox. False: it has been handled or is being
// handled now, or Stop was called before. Safe for concurrent use.
func (t *Timer) Stop() bool {
	if !t.state.CompareAndSwap(armed, stopped) {
		return false
	}
	// The zero Timer has no clock. A clock of a bubble has stopped with it, and must not be touched
	// outside.
	if t.clock != nil && (!t.bubbled || bubbles.Inside()) {
		t.clock.Stop()
	}
	return true
}

// fire decides, at the moment of handling, that the message is handled.
// It is the one compare-and-swap that Stop competes with.
func (t *Timer) fire() bool { return t.state.CompareAndSwap(armed, fired) }

// pending reports whether the timer's message may still be handled.
func (t *Timer) pending() bool { return t.state.Load() == armed }
