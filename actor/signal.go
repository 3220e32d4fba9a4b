package actor

// A signal is a call that an actor's goroutine makes between two messages. Signals lie in
// a list beside the mailbox, so a full mailbox cannot keep them out. They carry what must
// get through: stop, timers, task results, watches, cancelled asks.
type signal struct {
	next *signal
	// call is made on the actor's goroutine, or with dead true, and then on any
	// goroutine, when the actor has ended without seeing it. nil: just look at the state.
	call func(dead bool) error
}

// post queues a signal and never blocks. The nudge sees to it that the actor looks: it
// takes a place in the mailbox, and where there is none, the actor comes round anyway.
func (c *core) post(s *signal) {
	for {
		s.next = c.signals.Load()
		if c.signals.CompareAndSwap(s.next, s) {
			break
		}
	}
	// Either the ending actor, which first makes the state dead and then empties the list,
	// finds the signal there, or we find the state dead.
	if c.state.Load() == dead {
		c.burySignals()
		return
	}
	c.mailbox.nudge()
}

// takeSignals takes all signals, oldest first.
func (c *core) takeSignals() *signal {
	var first *signal
	for s := c.signals.Swap(nil); s != nil; {
		s.next, first, s = first, s, s.next
	}
	return first
}

func (c *core) burySignals() {
	for s := c.takeSignals(); s != nil; s = s.next {
		if s.call != nil {
			_ = s.call(true)
		}
	}
}
