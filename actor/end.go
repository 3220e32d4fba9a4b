package actor

import "fmt"

// terminate is the end of the actor.
func (c *cell[M]) terminate(failure error) {
	drained := c.conclude(failure)
	if c.lives != nil {
		c.lives.end()
	}
	if c.idle != nil && c.idle.timer != nil {
		c.idle.timer.Stop()
	}
	if x := c.extras; x != nil {
		x.stopTimers()
		x.unwatch()
		x.rest.bury()
		x.failDeferred(c.refusal())
	}
	c.bury()
	c.burySignals()
	c.endChildren(drained)
	if x := c.extras; x != nil {
		x.tasks.Wait()
	}
	c.behavior = nil
	c.announce(failure)
}

// conclude is the first step of the end: no message can be sent any more, and senders learn why.
func (c *core) conclude(err error) (drained bool) {
	c.failure = err
	c.handled.Store(c.count)
	was := c.state.Swap(dead)
	if err != nil {
		c.lifetime.end(&c.failure)
	} else {
		c.lifetime.end(&ErrStopped)
	}
	return err == nil && was == draining
}

// announce tells hooks, watchers and parent that the actor has ended. Of an actor that never
// started only its spawner hears.
func (c *cell[M]) announce(failure error) {
	if c.started && failure != nil {
		c.system.log().Error("actor: failed", "actor", c.name, "failure", failure)
	}
	if h := c.system.hooks.Stopped; h != nil && c.started {
		c.system.hook(c.name, "Stopped", func() { h(c.info(), c.fate()) })
	}
	if c.started && failure != nil && c.escalates {
		c.escalate(failure) // first: a Shutdown that finds the actor gone must know of it
	}
	for w := range c.system.leave(c.parent, &c.core) {
		w.ended(c.fate())
	}
}

// escalate makes the failure that of the parent, or of the system. It is called while the actor
// is still in the tree, and a parent that restarts waits for all its children there: so the life
// read here is the one that had this child, and a later life does not fail with it.
func (c *core) escalate(failure error) {
	failure = fmt.Errorf("actor: %s failed: %w", c.name, failure)
	if c.parent == nil {
		c.system.escalated(failure)
		return
	}
	p, life := c.parent, c.parent.life()
	p.post(&signal{call: func(over bool) error {
		if over || life != p.life() {
			return nil
		}
		return failure
	}})
}

// endChildren ends the children, newest first, and waits for each.
func (c *core) endChildren(drained bool) {
	c.system.mu.Lock()
	c.barren = true
	var children []*core
	if c.kin != nil {
		children = c.kin.children.newestFirst()
	}
	c.system.mu.Unlock()
	for _, child := range children {
		if drained && !c.hurried.Load() {
			child.drain()
		} else {
			child.stop()
		}
		<-child.done
	}
}

// hurry has an actor that is draining its children stop them instead. It first leaves word and
// then stops the newest; endChildren looks for the word before each child: whichever child
// it is waiting for, either it or we have stopped that one.
func (c *core) hurry() {
	c.hurried.Store(true)
	c.system.mu.Lock()
	var child *core
	if c.kin != nil {
		child = c.kin.children.newest
	}
	c.system.mu.Unlock()
	if child != nil {
		child.stop()
	}
}
