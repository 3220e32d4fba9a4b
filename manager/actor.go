package manager

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// linger is how long a keeper stays after its last use, at least, and about twice that at most: a
// name in steady use keeps its keeper, one that was used once leaves nothing.
const linger = 100 * time.Millisecond

// managerActor does what concerns several names.
//
// Owns: the order in which requests for several names are placed, the list of idle keepers, and the
// state of Close. Takes: placeParts and cancelParts from acquires, statistics from Stats, idle and
// gone from keepers, beginClose from Close, and what its own tasks return. It waits for nothing.
// Its timer is set only while keepers are idle.
//
//	          Close             every keeper gone     renewals ended        backend closed
//	┌──────┐ ──────► ┌─────────┐ ──────► ┌──────────┐ ──────► ┌─────────┐ ──────► ┌────────┐
//	│ open │         │ closing │         │ quieting │         │ leaving │         │ closed │
//	└──────┘         └─────────┘         └──────────┘         └─────────┘         └────────┘
type managerActor struct {
	m     *Manager
	mail  *actor.OnDemand[message]
	idle  []*keeper
	timer *actor.Timer

	patrol patrol
	lines  lines

	stage   stage
	ctx     context.Context // of the Close that began it
	keepers int             // not gone yet

	done chan struct{} // closed at the end
	err  error         // of the backend's Close; written before that
}

type stage uint8

const (
	open stage = iota
	closing
	quieting
	leaving
	closed
)

// The messages of the manager's actor.
type (
	idle        struct{ *keeper }
	gone        struct{} // a keeper has retired because of Close
	look        struct{} // at the idle keepers
	beginClose  struct{ context.Context }
	renewerDone struct{}
	storeClosed struct{ err error }
)

func newManagerActor(m *Manager) *managerActor {
	c := &managerActor{m: m, done: make(chan struct{})}
	c.mail = actor.NewOnDemand("lockkeeper/manager", c.receive, c.failed)
	return c
}

func (c *managerActor) receive(msg message) {
	switch msg := msg.(type) {
	case idle:
		c.idle = append(c.idle, msg.keeper)
		switch {
		case c.m.away():
			c.look() // at once: no timer may outlive the bubble, nor a keeper that has one
		case c.timer == nil && c.stage == open:
			c.timer = c.mail.After(linger, look{})
		}
	case *statistics:
		c.collect(msg)
	case placeParts:
		c.place(msg.several)
	case cancelParts:
		c.cancelParts(msg.several)
	case walk:
		c.walk(msg.begin)
	case look:
		c.timer = nil
		c.look()
	case beginClose:
		c.begin(msg.Context)
	case gone:
		c.keepers--
		c.quiet()
	case renewerDone:
		c.leave()
	case storeClosed:
		if c.stage == leaving {
			c.stage, c.err = closed, msg.err
			close(c.done)
		}
	}
}

// failed is for a backend whose Close panics, or a bug. Close must return all the same.
func (c *managerActor) failed(msg message, p *actor.PanicError) {
	_, closes := msg.(beginClose)
	if c.stage != closed && (closes || c.stage != open) {
		c.stage, c.err = closed, p
		close(c.done)
	}
}

// apart runs f, which calls other people's code, on a goroutine of its own. A panic there is not
// reported.
func (c *managerActor) apart(f func()) {
	c.mail.Go(func() message {
		defer func() { _ = recover() }()
		f()
		return nothing{}
	})
}

// look sends each idle keeper its sweep. A task lends its goroutine to one after the other, so that
// a million of them do not start a million goroutines.
func (c *managerActor) look() {
	ks := c.idle
	c.idle = nil
	c.mail.Go(func() message {
		for _, k := range ks {
			k.mail.Deliver(sweep{})
		}
		return nothing{}
	})
}

// begin refuses new keepers and tells those there are to end what they have.
func (c *managerActor) begin(ctx context.Context) {
	if c.stage != open {
		return
	}
	c.stage, c.ctx = closing, ctx
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.patrol.timer != nil {
		c.patrol.timer.Stop()
	}
	c.idle = nil
	ks := c.m.dir.close()
	c.keepers = len(ks)
	c.mail.Go(func() message {
		for _, k := range ks {
			k.mail.Deliver(shut{})
		}
		return nothing{}
	})
	c.quiet()
}

// quiet goes on when the last keeper has gone.
func (c *managerActor) quiet() {
	if c.stage == closing && c.keepers == 0 {
		c.stage = quieting
		c.m.endLife()
		c.m.renewer.mail.Tell(halt{})
	}
}

// leave closes the backend.
func (c *managerActor) leave() {
	if c.stage != quieting {
		return
	}
	c.stage = leaving
	// Without the end of ctx: it ends the wait in Close, not the closing.
	ctx := context.WithoutCancel(c.ctx)
	c.mail.Go(func() message { return storeClosed{c.m.store.Close(ctx)} })
}

// Close ends the manager: Acquire fails with ErrClosed from now on, waiting ones fail likewise, and
// the leases still held are lost (reason ByClose), so that their contexts end. Their holders have
// the stop margin to call Release; then the grants go back to the store, the backend is closed, and
// everything that the manager started has ended when Close returns.
//
// If ctx ends first, Close returns its error and goes on closing. Further calls wait for the same
// end. The error is otherwise that of the backend's Close.
func (m *Manager) Close(ctx context.Context) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	m.actor.mail.Tell(beginClose{ctx})
	select { // if both are ready, either answer is right
	case <-m.actor.done:
		return opErr("close", m.caps.Name, m.actor.err)
	case <-ctx.Done():
		return opErr("close", m.caps.Name, backends.Ended(ctx))
	}
}
