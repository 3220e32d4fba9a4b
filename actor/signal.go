package actor

// A signal is a call that an actor's goroutine makes between two messages. Signals lie in
// a list beside the mailbox, so a full mailbox cannot keep them out. They carry what must
// get through: timers, task results, watches, cancelled asks.
type signal struct {
	next *signal
	// call is made on the actor's goroutine, or with dead true, and then on any
	// goroutine, when the actor has ended without seeing it.
	call func(dead bool) error
}

// bell is no call: it only makes an actor look at its signals, and after them at its state. All
// actors share it, so it lies at the bottom of a list or nowhere, and its next is never written.
var bell signal

// ring makes the actor look at its state, which the caller has just changed. Where signals wait
// already, no bell is needed: the actor has yet to take those, and looks at the state after that.
func (c *core) ring() {
	c.signals.CompareAndSwap(nil, &bell)
	c.mailbox.nudge()
}

// post queues a signal and never blocks. The nudge makes the actor look: it
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
	for s := c.signals.Swap(nil); s != nil && s != &bell; {
		s.next, first, s = first, s, s.next
	}
	return first
}

// oldestSignal gives the list that is to be called now: what was kept, else all there is.
func (c *core) oldestSignal() *signal {
	if x := c.extras; x != nil && x.rest != nil {
		return x.rest
	}
	return c.takeSignals()
}

// keep notes what is still to be called of the list taken last.
func (c *core) keep(rest *signal) {
	if rest != nil || c.extras != nil {
		c.extra().rest = rest
	}
}

func (c *core) burySignals() { c.takeSignals().bury() }

// bury makes the calls of a list whose actor has ended.
func (s *signal) bury() {
	for ; s != nil; s = s.next {
		_ = s.call(true)
	}
}
