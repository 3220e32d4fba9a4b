package postgres

import (
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// client is the actor that knows what its client waits for and holds.
//
// Owns: requests that have no answer, grants that are held, the inbox, the heartbeat, what is to be
// given back. Takes: messages, each a small type with its handler beside the code that sends it.
// States: see docs/internals/postgres.md. It runs on demand and does no I/O in a turn: tasks do,
// and their results are messages. Stops: by Close.
//
// Between turns:
//
//	I1  A request is in waiting from its begin until its answer is decided, and then never again.
//	I2  A grant is in held from the turn that decides for it until it is given back, or known to be lost.
//	I3  The heartbeat's timer runs, or a heartbeat is on its way, if something is queued.
//	I4  io counts the tasks whose end has not been handled.
type client struct {
	b     *Backend
	actor *actor.OnDemand[message]

	waiting  map[uint64]*request // by number
	held     map[uint64]*held    // by number
	adopting map[uint64]*request // adoptions without an answer, by number

	heartbeat heartbeat
	endings   endings
	inbox     inbox
	sweeping  *actor.Timer

	io      int
	closing bool
	shut    bool // I/O is being ended, or has ended
	closed  chan struct{}
}

// message is what the client takes.
type message interface{ on(*client) }

// held is a grant that is held.
type held struct {
	id        backends.GrantID
	name      string
	token     uint64
	contended bool
	till      time.Time // bounds until when the server keeps it
	leaving   bool      // its release is on its way: that it is not held any more is no loss
	free      bool      // that leaves no permits taken
	back      *ending   // nil, or the repetition of its unconfirmed release
	copied    bool      // a copy of its acquire may be on its way
	notify    func(backends.Event)
	hears     bool // its holder wants to hear of other clients
}

func newClient(b *Backend) *client {
	cl := &client{
		b: b, waiting: make(map[uint64]*request), held: make(map[uint64]*held),
		adopting: make(map[uint64]*request), closed: make(chan struct{}),
		endings: endings{following: make(map[*request]*actor.Timer)},
	}
	cl.actor = actor.NewOnDemand("lockkeeper/postgres", cl.receive, cl.failed)
	return cl
}

func (cl *client) receive(m message) {
	if m != nil {
		m.on(cl)
	}
}

// failed answers everybody after a panic: a client whose state is half changed must not grant
// anything.
func (cl *client) failed(m message, p *actor.PanicError) {
	err := fmt.Errorf("%w: %w", backends.ErrUnavailable, p)
	for _, q := range cl.waiting {
		q.op.fail(err)
	}
	clear(cl.waiting)
	switch m := m.(type) {
	case interface{ fail(error) }: // a message of an operation, or a job
		m.fail(err)
	case closeAll:
		cl.b.stop()
		cl.end()
	}
}

// task does I/O on a goroutine of its own; what it returns is handled as a message.
func (cl *client) task(f func() message) {
	cl.io++
	cl.actor.Go(func() message { return performed{f()} })
}

// performed says that a task has ended, and what it has to say.
type performed struct{ message }

func (p performed) on(cl *client) {
	cl.io--
	if p.message != nil {
		p.message.on(cl)
	}
	cl.settle()
}

// hold takes a grant into the books.
func (cl *client) hold(q *request, g backends.Grant) {
	h := &held{
		id: g.ID, name: q.Name, token: g.Token, contended: g.Contended, copied: q.copied, notify: q.Notify,
		hears: q.Notify != nil && (!q.Quiet || q.Tries),
	}
	h.prolong(longest(q.Request))
	cl.held[g.ID.Seq] = h
	if h.hears {
		cl.warm()
	}
}

// grace is how much longer the server keeps a grant than its time to live.
const grace = 50 * time.Millisecond

// life is how long the server keeps a grant from when it executes the statement.
func life(ttl time.Duration) time.Duration { return ttl + grace }

// longest is how long the server may have permits taken by a request from when it executes the
// statement: for its grant, or kept after that.
func longest(r backends.Request) time.Duration { return life(max(r.TTL, r.AtLeast)) }

// prolong notes that the server has just been asked to keep the grant for so long.
func (h *held) prolong(life time.Duration) {
	if till := time.Now().Add(life); till.After(h.till) {
		h.till = till
	}
}

// heldBy returns a grant that is held, or nil.
func (cl *client) heldBy(id backends.GrantID) *held {
	if h := cl.held[id.Seq]; h != nil && h.id == id {
		return h
	}
	return nil
}

// drop takes a grant out of the books; it may have left them before.
func (cl *client) drop(seq uint64) *held {
	h := cl.held[seq]
	delete(cl.held, seq)
	cl.tidy()
	return h
}

// tidy closes what nobody needs any more.
func (cl *client) tidy() {
	if len(cl.waiting) == 0 {
		cl.heartbeat.cease()
		if len(cl.held) == 0 {
			cl.cool()
		}
	}
}

// lose drops a grant of which the server says that it has ended, and tells its holder.
func (cl *client) lose(h *held, reason backends.LostReason) {
	cl.drop(h.id.Seq)
	h.tell(backends.Event{Grant: h.id, Type: backends.Lost, Err: &backends.LostError{
		Name: h.name, Token: h.token, Reason: reason,
	}})
}

// contend tells a holder once that others wait.
func (h *held) contend(is bool) {
	if is && !h.contended {
		h.tell(backends.Event{Grant: h.id, Type: backends.Contended})
	}
	h.contended = is
}

func (h *held) tell(e backends.Event) {
	if h.notify != nil {
		h.notify(e)
	}
}

const (
	sweepPause = time.Minute      // from a use of the store to a sweep
	sweepAge   = 10 * time.Minute // how long a name out of use keeps its last token, at least
)

// sweepSoon has the names swept that are out of use. Some client does so a minute after each use of
// the store, and goes on until nothing is left.
func (cl *client) sweepSoon() {
	if cl.sweeping == nil && !cl.closing {
		cl.sweeping = cl.actor.After(sweepPause, sweep{})
	}
}

type sweep struct{}

func (sweep) on(cl *client) {
	cl.sweeping = nil
	if cl.closing {
		return
	}
	cl.task(func() message {
		var left int64
		err := cl.b.askOne(&left, cl.b.call.sweep, sweepAge.Microseconds())
		return swept{err == nil && left != 0}
	})
}

// swept says whether there is more to sweep, later.
type swept struct{ more bool }

func (m swept) on(cl *client) {
	if m.more {
		cl.sweepSoon()
	}
}
