package actor

import (
	"context"
	"errors"
	"runtime/debug"
)

// run is the goroutine of an actor.
func (c *cell[M]) run() {
	wearLabel(c.name)
	for c.survive(c.serve()) {
	}
}

// serve handles signals and messages until the actor shall stop (nil) or has failed.
// One deferred call for a whole life, not one for each message.
func (c *cell[M]) serve() (failure error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			failure = &PanicError{Value: v, Stack: debug.Stack()}
			c.settle(failure)
			return
		}
		// Goexit ends this goroutine; the actor goes on, or ends in order, on another.
		c.settle(errGoexit)
		go func() {
			if c.survive(errGoexit) {
				c.run()
			}
		}()
	}()
	failure = c.live()
	returned = true
	return failure
}

// live is one life of the actor, from its (re)start on.
func (c *cell[M]) live() error {
	if c.behavior == nil {
		if err := c.begin(); err != nil {
			return err
		}
	}
	if over, err := c.attend(); over || err != nil { // also what an earlier life left over
		return err
	}
	for {
		if c.signals.Load() != nil {
			if over, err := c.attend(); over || err != nil {
				return err
			}
		}
		// So many envelopes there are, and only the actor takes any while it lives: none of
		// these receives waits, and none needs a look first whether it would.
		n := len(c.mail)
		if n == 0 {
			c.pause()
			n = 1
		}
		// At least one, also when signals came meanwhile.
		for ok := true; ok; ok = n > 0 && c.signals.Load() == nil {
			env := <-c.mail
			n--
			if env.slot == nil { // what handle does, without the call: this is the loop that matters
				c.count++
				if err := c.behavior.Receive(c.turnCtx(), env.msg); err != nil {
					return err
				}
			} else if err := c.handle(env); err != nil {
				return err
			}
		}
	}
}

// pause is called before the actor waits for mail. It publishes the count and looks whether
// the actor has been idle; a busy actor pays for neither.
func (c *cell[M]) pause() {
	c.handled.Store(c.count)
	if c.idle != nil && c.idle.due {
		c.lookIdle()
	}
}

// handle passes one message to the behavior.
func (c *cell[M]) handle(env envelope[M]) error {
	if env.slot == nil {
		c.count++
		return c.behavior.Receive(c.turnCtx(), env.msg)
	}
	if env.slot == &nudge {
		return nil
	}
	return c.handleAsk(env)
}

// handleAsk passes a message to the behavior whose sender waits for an answer.
func (c *cell[M]) handleAsk(env envelope[M]) error {
	t, waiting := env.slot.take()
	if !waiting { // the asker went while the message was queued, and knows it
		c.deadLetter(env, context.Canceled)
		return nil
	}
	c.count++
	c.current = t
	err := c.behavior.Receive(c.turnCtx(), env.msg)
	if err != nil {
		c.settle(err)
	} else {
		c.settle(ErrNoReply)
	}
	return err
}

// settle answers the ask being handled, unless it was answered or deferred.
func (c *core) settle(err error) {
	t := c.current
	c.current = turn{}
	if t.slot != nil {
		t.settle(err)
	}
}

// begin makes the first behavior of a life.
func (c *cell[M]) begin() (err error) {
	c.behavior, err = c.start(&c.self)
	if err == nil && isNil(c.behavior) {
		err = errors.New("actor: start returned no behavior")
	}
	return err
}

// attend answers the signals. Over: the actor shall stop.
func (c *cell[M]) attend() (over bool, err error) {
	if err := c.callSignals(); err != nil {
		return false, err
	}
	switch c.state.Load() {
	case stopping:
		return true, nil
	case draining:
		return true, c.finish()
	}
	return false, nil
}

// callSignals makes the calls that were asked for up to now. Those asked for meanwhile wait for the
// next message to be handled, or a timer or task that begins the next one would keep the mailbox
// waiting for ever. What is left after a failure, or when the actor shall stop, waits in the
// extras.
func (c *cell[M]) callSignals() error {
	for s := c.oldestSignal(); s != nil; s = s.next {
		if c.state.Load() == stopping {
			c.keep(s)
			return nil
		}
		c.keep(s.next) // first, for the call may panic
		if err := s.call(false); err != nil {
			return err
		}
	}
	return nil
}

// finish handles what is left of a draining actor's mail and tasks. It waits for no timer.
func (c *cell[M]) finish() (err error) {
	for err == nil && c.state.Load() == draining {
		switch env, found := c.pick(); {
		case found:
			err = c.handle(env)
		case c.signals.Load() != nil: // called below
			if x := c.extras; x != nil && x.working == 0 {
				x.stopTimers() // one that is always due would keep the actor
			}
		case c.extras == nil || c.extras.working == 0:
			return nil
		default:
			c.pause()
			err = c.handle(<-c.mail) // a task's result comes with a nudge
		}
		if err == nil {
			err = c.callSignals()
		}
	}
	return err
}
