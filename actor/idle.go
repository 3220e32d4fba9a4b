package actor

import (
	"sync/atomic"
	"time"
)

// idleness ends an actor that had nothing to do for a while.
//
// A sender is counted while it sends. It first raises the count and then looks at the state;
// the actor first makes the state passivating and then looks at the count. So either the
// actor sees the sender and stays, or the sender sees passivating and takes it
// back, or sees stopping and is refused with nothing sent: no message is lost to idleness.
type idleness struct {
	timeout time.Duration
	timer   *time.Timer
	sending atomic.Int64
	count   uint64 // messages handled when the timer was set
	due     bool   // the timer has fired
}

// enter reports whether the caller may send; it must call exit afterwards if so.
func (i *idleness) enter(c *core) bool {
	i.sending.Add(1)
	for {
		switch s := c.state.Load(); {
		case s == open:
			return true
		case s == passivating:
			c.state.CompareAndSwap(passivating, open)
		default:
			i.sending.Add(-1)
			return false
		}
	}
}

func (i *idleness) exit() { i.sending.Add(-1) }

// armIdle sets the timer for the first time. That it fired is noted by a signal, and
// looked into as soon as the mailbox is empty: the signal's own nudge may still lie there.
func (c *cell[M]) armIdle() {
	if c.idle == nil {
		return
	}
	c.idle.timer = time.AfterFunc(c.idle.timeout, func() {
		c.post(&signal{call: func(bool) error {
			c.idle.due = true
			return nil
		}})
	})
}

// lookIdle stops the actor if it had nothing to do since the timer was set, else sets it again.
func (c *cell[M]) lookIdle() {
	c.idle.due = false
	if c.count == c.idle.count && !c.busy() && c.passivate() {
		return
	}
	c.idle.count = c.count
	c.idle.timer.Reset(c.idle.timeout)
}

// busy reports whether the actor has work that is not in its mailbox.
func (c *cell[M]) busy() bool {
	if c.extras != nil && c.extras.busy() {
		return true
	}
	c.system.mu.Lock()
	defer c.system.mu.Unlock()
	return c.kin != nil && c.kin.children.oldest != nil
}

// passivate stops the actor unless a message is being sent to it.
func (c *cell[M]) passivate() bool {
	if !c.state.CompareAndSwap(open, passivating) {
		return false
	}
	if c.idle.sending.Load() != 0 || len(c.mail) != 0 || c.signals.Load() != nil {
		c.state.CompareAndSwap(passivating, open)
		return false
	}
	if !c.state.CompareAndSwap(passivating, stopping) {
		return false
	}
	c.lifetime.end(&ErrStopped)
	c.ring()
	return true
}
