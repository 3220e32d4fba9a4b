package actor

import (
	"sync"
	"sync/atomic"
)

// The states of an actor, in the order in which it passes through them.
const (
	open        uint32 = iota // takes messages
	passivating               // idle, about to stop; a sender makes it open again
	draining                  // takes no more; handles what it has
	stopping                  // takes no more; ends after the current message
	dead                      // handles nothing more; what is still found in the mailbox is a dead letter
)

// A core is the part of an actor that does not depend on its message type.
//
// Senders read the first fields for every message, the actor writes the last ones for every
// message; what lies between keeps them on different cache lines.
type core struct {
	name     string
	system   *System
	parent   *core
	mailbox  mailbox       // the cell around this core
	done     chan struct{} // closed when nothing of the actor is left
	lifetime lifetime      // ends when the actor is told to stop
	state    atomic.Uint32
	signals  atomic.Pointer[signal]   // newest first
	slots    atomic.Pointer[slotPool] // reply slots, one pool for each type of reply asked for

	// Written before the state becomes dead, read after.
	err     error // what Err reports
	sendErr error // what a sender gets

	// Guarded by system.mu.
	older, younger *core
	children       family
	watchers       map[*watch]struct{} // of this actor
	left           bool                // out of the tree, and watchers are being told

	started     bool        // the first start has succeeded; written before the actor's goroutine begins
	hurried     atomic.Bool // told to stop while draining its children
	tasks       sync.WaitGroup
	deadLetters atomic.Uint64
	restarts    atomic.Uint64
	handled     atomic.Uint64 // count, as of when the mailbox was last empty

	// The rest belongs to the actor's goroutine, and before the first start to its spawner.
	count    uint64 // messages handled
	current  turn   // the ask being handled
	policy   Supervision
	deferred []turn   // asks that handlers have deferred, and some already answered
	timers   []*Timer // armed, and some no longer
	watching map[*watch]struct{}
	working  int       // tasks whose result has not been handled
	rest     *signal   // taken from signals, oldest first
	life     int       // how many lives have failed
	lives    *lives    // nil where there is only one
	bell     [2]signal // for drain and stop, so that neither allocates
}

// mailbox is what the core needs of the cell around it.
type mailbox interface {
	nudge()
	queued() (length, capacity int)
}

// stop makes the actor end after the message it is handling.
func (c *core) stop() {
	for {
		s := c.state.Load()
		if s == dead {
			c.hurry()
		}
		if s >= stopping {
			return
		}
		if c.state.CompareAndSwap(s, stopping) {
			break
		}
	}
	c.lifetime.end(&ErrStopped)
	c.post(&c.bell[1])
}

// drain makes the actor end when it has handled what it has.
func (c *core) drain() {
	for {
		s := c.state.Load()
		if s >= draining {
			return
		}
		if c.state.CompareAndSwap(s, draining) {
			break
		}
	}
	c.post(&c.bell[0])
}

// refusal is the error for whoever sends to an actor that takes no more.
func (c *core) refusal() error {
	if c.state.Load() == dead {
		return c.sendErr
	}
	return ErrStopped
}

// admitChildren takes back that endChildren closed the family.
func (c *core) admitChildren() {
	c.system.mu.Lock()
	c.children.closed = false
	c.system.mu.Unlock()
}

// failDeferred answers every ask still open with err.
func (c *core) failDeferred(err error) {
	for _, t := range c.deferred {
		t.fail(err)
	}
	c.deferred = nil
}

func (c *core) stopTimers() {
	for _, t := range c.timers {
		t.Stop()
	}
	c.timers = nil
}

// info describes the actor, for hooks and snapshots.
func (c *core) info() Info { return Info{Name: c.name, Stats: c.stats()} }

func (c *core) stats() Stats {
	queued, capacity := c.mailbox.queued()
	if c.state.Load() == dead {
		queued = 0 // at most a nudge that came too late
	}
	return Stats{
		Handled:     c.handled.Load(),
		DeadLetters: c.deadLetters.Load(),
		Restarts:    c.restarts.Load(),
		Queued:      queued,
		Capacity:    capacity,
	}
}

// Stats are counts since the actor was spawned, but for Queued, which is now.
// Once the actor has ended, messages accepted = Handled + DeadLetters.
type Stats struct {
	Handled     uint64 // messages passed to a behavior, as of when the mailbox was last empty
	DeadLetters uint64 // messages accepted and never handled
	Restarts    uint64
	Queued      int // in the mailbox: messages, and wake-ups for what lies beside it
	Capacity    int // of the mailbox
}

// prune drops what is no longer alive from a list that is about to grow past its
// capacity, so that the list stays within twice what is alive, at constant cost per entry.
func prune[T any](list []T, alive func(T) bool) []T {
	if len(list) < cap(list) {
		return list
	}
	kept := list[:0]
	for _, x := range list {
		if alive(x) {
			kept = append(kept, x)
		}
	}
	clear(list[len(kept):])
	if 2*len(kept) > cap(list) { // mostly alive: make room, or the next call would prune again
		kept = append(make([]T, 0, 2*cap(list)), kept...)
	}
	return kept
}
