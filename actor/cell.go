package actor

import (
	"context"
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

// isNil reports whether b is nil or a nil BehaviorFunc.
func isNil[M any](b Behavior[M]) bool {
	f, ok := b.(BehaviorFunc[M])
	return b == nil || ok && f == nil
}

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
	behavior Behavior[M]      // nil until (re)started
	mail     chan envelope[M] // never closed
	idle     *idleness        // nil: no idle timeout
	core
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
	if ctx == nil || ctx.Err() != nil { // a context already done loses, also to an empty mailbox
		return ctxError(ctx)
	}
	if c.idle != nil {
		if !c.idle.enter(&c.core) {
			return c.refusal()
		}
	} else if c.state.Load() > passivating {
		return c.refusal()
	}
	select {
	case c.mail <- env:
	default:
		if err := c.sendWaiting(ctx, env); err != nil {
			c.exit()
			return err
		}
	}
	c.sent()
	c.exit()
	return nil
}

// sendWaiting waits for room. Where several cases are ready, any may win: the message is
// in the mailbox if and only if the first did, and then the caller gets nil.
func (c *cell[M]) sendWaiting(ctx context.Context, env envelope[M]) error {
	if c.away() {
		return c.errAway()
	}
	select {
	case c.mail <- env:
		return nil
	case <-ctx.Done():
		return ctxError(ctx)
	case <-c.lifetime.Done():
		return c.refusal()
	}
}

// trySend is send without waiting.
func (c *cell[M]) trySend(env envelope[M]) error {
	if c.idle != nil {
		if !c.idle.enter(&c.core) {
			return c.refusal()
		}
	} else if c.state.Load() > passivating {
		return c.refusal()
	}
	select {
	case c.mail <- env:
		c.sent()
		c.exit()
		return nil
	default:
		c.exit()
		return ErrMailboxFull
	}
}

// exit says that a sender has sent, or given up. It is not deferred: that would cost every send a
// nanosecond or two.
func (c *cell[M]) exit() {
	if c.idle != nil {
		c.idle.exit()
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
	for env, found := c.pick(); found; env, found = c.pick() {
		c.deadLetter(env, c.refusal())
	}
}

// pick takes the oldest message out of the mailbox, if there is one.
func (c *cell[M]) pick() (env envelope[M], found bool) {
	for {
		select {
		case env = <-c.mail:
			if env.slot != &nudge {
				return env, true
			}
		default:
			return env, false
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
