package actor

import (
	"context"
	"sync/atomic"
	"time"
)

// A Behavior is what an actor does with its messages.
type Behavior[M any] interface {
	// Receive handles one message on the actor's goroutine. ctx ends when the actor is
	// told to stop. An error is a failure: it answers the current ask, and the actor's
	// [Supervision] decides what becomes of the actor.
	Receive(ctx context.Context, msg M) error
}

// BehaviorFunc makes a function a [Behavior].
type BehaviorFunc[M any] func(ctx context.Context, msg M) error

// Receive calls f.
func (f BehaviorFunc[M]) Receive(ctx context.Context, msg M) error { return f(ctx, msg) }

// An envelope is what lies in a mailbox.
type envelope[M any] struct {
	msg  M
	slot *slotHead // where the asker waits; nil for a tell, &nudge for no message at all
}

// nudge marks an envelope that only makes the actor look at its signals.
var nudge slotHead

// A cell is an actor.
type cell[M any] struct {
	start    func(*Self[M]) (Behavior[M], error)
	self     Self[M]
	turnCtx  turnContext
	behavior Behavior[M]      // nil until (re)started
	mail     chan envelope[M] // never closed
	idle     *idleness        // nil: no idle timeout
	core
}

// turnContext is the context handlers get. It tells Ask whose handler is asking.
type turnContext struct {
	context.Context
	core *core
}

type turnKey struct{}

func (t *turnContext) Value(key any) any {
	if _, ok := key.(turnKey); ok {
		return t.core
	}
	return t.Context.Value(key)
}

func (c *cell[M]) nudge() {
	select {
	case c.mail <- envelope[M]{slot: &nudge}:
	default: // full: the actor is not waiting for mail, and looks at its signals before the next
	}
}

func (c *cell[M]) queued() (length, capacity int) { return len(c.mail), cap(c.mail) }

// send puts an envelope into the mailbox, waiting for room until ctx or the actor ends.
func (c *cell[M]) send(ctx context.Context, env envelope[M]) error {
	if ctx.Err() != nil { // a context already done loses, also to an empty mailbox
		return ctxError(ctx)
	}
	if c.idle != nil {
		if !c.idle.enter(&c.core) {
			return c.refusal()
		}
		defer c.idle.exit()
	} else if c.state.Load() > passivating {
		return c.refusal()
	}
	select {
	case c.mail <- env:
	default:
		if err := c.sendWaiting(ctx, env); err != nil {
			return err
		}
	}
	c.sent()
	return nil
}

// sendWaiting waits for room. Where several cases are ready, any may win: the message is
// in the mailbox if and only if the first did, and then the caller is told so.
func (c *cell[M]) sendWaiting(ctx context.Context, env envelope[M]) error {
	select {
	case c.mail <- env:
		return nil
	case <-ctx.Done():
		return ctxError(ctx)
	case <-c.ctx.Done():
		return c.refusal()
	}
}

// trySend is send without waiting.
func (c *cell[M]) trySend(env envelope[M]) error {
	if c.idle != nil {
		if !c.idle.enter(&c.core) {
			return c.refusal()
		}
		defer c.idle.exit()
	} else if c.state.Load() > passivating {
		return c.refusal()
	}
	select {
	case c.mail <- env:
		c.sent()
		return nil
	default:
		return ErrMailboxFull
	}
}

// sent makes sure that a message just put into the mailbox of an actor that has ended
// meanwhile does not lie there for ever. The actor first becomes dead and then empties its
// mailbox; we first fill it and then look: one of us finds the message.
func (c *cell[M]) sent() {
	if c.state.Load() == dead {
		c.bury()
	}
}

// bury makes dead letters of the whole mailbox. Only for a dead actor.
func (c *cell[M]) bury() {
	for {
		select {
		case env := <-c.mail:
			if env.slot != &nudge {
				c.deadLetter(env, c.sendErr)
			}
		default:
			return
		}
	}
}

// deadLetter accounts for a message that was accepted and will not be handled.
func (c *cell[M]) deadLetter(env envelope[M], why error) {
	c.deadLetters.Add(1)
	if env.slot != nil {
		env.slot.turn().fail(why)
	}
	if h := c.system.hooks.DeadLetter; h != nil {
		c.system.hook(c.name, "DeadLetter", func() { h(c.info(), env.msg, why) })
	}
}

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
	handled uint64 // when the timer was set
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

// arm sets the timer for the first time.
func (c *cell[M]) armIdle() {
	if c.idle != nil {
		c.idle.timer = time.AfterFunc(c.idle.timeout, func() {
			c.post(&signal{call: c.whenIdle})
		})
	}
}

// whenIdle stops the actor if it had nothing to do since the timer was set, else sets it again.
func (c *cell[M]) whenIdle(over bool) error {
	if over {
		return nil
	}
	n := c.count
	if n == c.idle.handled && !c.busy() && c.passivate() {
		return nil
	}
	c.idle.handled = n
	c.idle.timer.Reset(c.idle.timeout)
	return nil
}

// busy reports whether the actor has work that is not in its mailbox.
func (c *cell[M]) busy() bool {
	if c.working > 0 {
		return true
	}
	for _, t := range c.deferred {
		if t.open() {
			return true
		}
	}
	for _, t := range c.timers {
		if t.pending() {
			return true
		}
	}
	c.system.mu.Lock()
	defer c.system.mu.Unlock()
	return c.children.oldest != nil
}

// passivate stops the actor unless somebody is sending to it.
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
	c.cancel(ErrStopped)
	c.post(&c.bell[1])
	return true
}
