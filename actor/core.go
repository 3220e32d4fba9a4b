package actor

import (
	"fmt"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// The states of an actor, in the order in which it passes through them.
const (
	open        uint32 = iota // takes messages
	passivating               // idle, about to stop; a sender makes it open again
	draining                  // takes no more; handles what it has
	stopping                  // takes no more; ends after the current message
	dead                      // handles nothing more; its mail becomes dead letters
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

	hurried atomic.Bool // told to stop while draining its children
	failure error       // why it failed; written before the state becomes dead, read after

	// Guarded by system.mu.
	older, younger *core
	kin            *kin        // nil: no children so far, and no watcher
	barren         bool        // ending, or restarting: no more children
	left           atomic.Bool // out of the tree, with done closed; read without system.mu too

	started     bool // the first start has succeeded; written before the actor's goroutine begins
	escalates   bool // never changes
	bubbled     bool // spawned in a bubble of testing/synctest; never changes
	deadLetters atomic.Uint64
	handled     atomic.Uint64 // count, as of when the mailbox was last empty

	// The rest belongs to the actor's goroutine, and before the first start to its spawner.
	count   uint64  // messages handled
	current turn    // the ask being handled
	lives   *lives  // nil where there is only one; never changes
	extras  *extras // nil: none so far
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
	c.ring()
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
	c.ring()
}

// away reports whether the caller is outside the actor's synctest bubble, or in one while the actor
// is in none. A channel that is made in a bubble must not be used outside it.
func (c *core) away() bool { return bubbles.Inside() != c.bubbled }

// errAway is the error for a caller that would have to wait for an actor that is away.
func (c *core) errAway() error {
	if c.state.Load() > passivating {
		return c.refusal()
	}
	return fmt.Errorf(
		"actor: %s was spawned in another synctest bubble, or outside: a caller in this one cannot wait for it", c.name)
}

// refusal is the error of a send to an actor that takes no more.
func (c *core) refusal() error {
	if c.state.Load() == dead && c.failure != nil {
		return fmt.Errorf("%w: %s failed: %w", ErrStopped, c.name, c.failure)
	}
	return ErrStopped
}

// fate is what Err reports of an actor that has ended.
func (c *core) fate() error {
	if c.failure != nil {
		return c.failure
	}
	return ErrStopped
}

// admitChildren takes back that endChildren refused more.
func (c *core) admitChildren() {
	c.system.mu.Lock()
	c.barren = false
	c.system.mu.Unlock()
}

// info describes the actor, for hooks and snapshots.
func (c *core) info() Info { return Info{Name: c.name, Stats: c.stats()} }

func (c *core) stats() Stats {
	queued, capacity := c.mailbox.queued()
	if c.state.Load() == dead {
		queued = 0 // at most a nudge that came too late
	}
	var restarts uint64
	if c.lives != nil {
		restarts = c.lives.restarts.Load()
	}
	return Stats{
		Handled:     c.handled.Load(),
		DeadLetters: c.deadLetters.Load(),
		Restarts:    restarts,
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
