package redis

import (
	"container/list"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// client is the actor that knows what its client waits for and holds.
//
// Owns: requests that wait, grants that are held, the inbox, the heartbeat, what is to be given back.
// Takes: messages, each a small type with its handler beside the code that sends it.
// States: see docs/internals/redis.md. It runs on demand and does no I/O in a turn: tasks do, and their results are messages.
// Stops: by Close.
//
// Between turns:
//
//	I1  A request is in waiting from its begin until its caller's answer is decided, and then never again.
//	I2  A grant is in held from the turn that decides for it until it is given back, or known to be lost.
//	I3  A place is in names if and only if something of it waits or is held.
//	I4  The heartbeat's timer runs if and only if something waits.
//	I5  io counts the tasks whose end has not been handled; running, of the backend, the callers that talk to the server.
type client struct {
	b     *Backend
	actor *actor.OnDemand[message]

	names   map[string]*place
	waiting map[uint64]*request // by number
	held    map[uint64]*held    // by number

	adopting map[uint64]*request // adoptions without an answer, by number

	heartbeat *actor.Timer    // of the heartbeat
	due       map[*place]bool // whose state is to be asked for
	asking    bool            // a look is on its way

	endings endings
	unsure  map[uint64]*actor.Timer // grants whose release may have been repeated

	inbox inbox

	io      int
	closing bool
	shut    bool // the connections are being closed, or are
	closed  chan struct{}
}

// message is what the client takes.
type message interface{ on(*client) }

// place is a name of which something waits or is held.
type place struct {
	name    string
	waiting list.List // of *request that stand in the queue, as they were queued
	asked   int       // requests that are not in waiting yet
	held    map[uint64]*held
	timer   *actor.Timer // until the next deadline, if that is sooner than the heartbeat
	expires time.Time    // when the next deadline passes, as far as is known
	looks   int          // heartbeats that looked at it
	broken  bool         // a message said that its grants were broken
	news    bool         // a message said that others wait, while a grant was on its way
	tried   bool         // the same of a try
}

// held is a grant that is held.
type held struct {
	id        backends.GrantID
	place     *place
	token     uint64
	contended bool
	life      time.Duration // bounds how long the server keeps it after it was granted or prolonged
	till      time.Time     // bounds until when the server keeps it
	leaving   bool          // its release is on its way: that it is not held any more is no loss
	least     time.Duration // after it was made, until when its permits stay taken
	back      *ending       // nil, or the repetition of its unconfirmed release
	copied    bool          // a copy of its acquire may be on its way
	notify    func(backends.Event)
	tries     bool // it wants to hear of tries
	told      bool // it has heard of one
}

func newClient(b *Backend) *client {
	cl := &client{
		b:       b,
		names:   make(map[string]*place),
		waiting: make(map[uint64]*request),
		held:    make(map[uint64]*held),

		adopting: make(map[uint64]*request),

		due:    make(map[*place]bool),
		unsure: make(map[uint64]*actor.Timer),
		closed: make(chan struct{}),
	}
	cl.actor = actor.NewOnDemand("lockkeeper/redis", cl.receive, cl.failed)
	return cl
}

func (cl *client) receive(m message) {
	if m != nil {
		m.on(cl)
	}
}

// failed answers everybody after a panic: a client whose state is half changed must not grant anything.
func (cl *client) failed(m message, p *actor.PanicError) {
	err := fmt.Errorf("%w: %w", backends.ErrUnavailable, p)
	for _, q := range cl.waiting {
		q.op.fail(err)
	}
	clear(cl.waiting)
	switch m := m.(type) {
	case interface{ fail(error) }: // a message of an operation
		m.fail(err)
	case closeAll:
		cl.endFailed()
	}
}

// endFailed closes what a client that has failed can still close.
func (cl *client) endFailed() {
	if cl.shut {
		return
	}
	cl.shut = true
	cl.b.closing.Store(true)
	sub := cl.inbox.sub
	cl.actor.Go(func() message {
		if sub != nil {
			sub.Close()
		}
		cl.b.conns.close()
		cl.end()
		return nil
	})
}

// task does I/O on a goroutine of its own; what it returns is handled as a message.
func (cl *client) task(f func() message) {
	cl.io++
	cl.actor.Go(func() message {
		grow(1)
		return performed{f()}
	})
}

// grow makes a new goroutine's stack large enough for a command at once. It would otherwise be doubled, and copied, three times on
// the way down through the client library, which costs about 5 µs, a tenth of a round trip.
//
//go:noinline
func grow(n int) byte {
	var frame [12 << 10]byte
	frame[n] = byte(n)
	return frame[2*n]
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

func (cl *client) place(name string) *place {
	p := cl.names[name]
	if p == nil {
		p = &place{name: name, held: make(map[uint64]*held)}
		cl.names[name] = p
	}
	return p
}

// tidy forgets a place that nobody uses and puts the heartbeat and the inbox in order.
func (cl *client) tidy(p *place) {
	if p.waiting.Len() == 0 && p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if p.waiting.Len() == 0 && p.asked == 0 && len(p.held) == 0 {
		delete(cl.names, p.name)
		delete(cl.due, p)
	}
	if len(cl.waiting) == 0 && cl.heartbeat != nil {
		cl.heartbeat.Stop()
		cl.heartbeat = nil
	}
	if len(cl.waiting) == 0 && len(cl.held) == 0 {
		cl.cool()
	}
}

// hold takes a grant into the books.
func (cl *client) hold(q *request, token uint64, contended bool) {
	h := &held{id: q.id, place: q.place, token: token, contended: contended, copied: q.copied, notify: q.Notify, tries: q.Tries, least: q.AtLeast}
	h.prolong(cl.b.life(max(q.TTL, q.AtLeast)))
	cl.held[q.id.Seq] = h
	q.place.held[q.id.Seq] = h
	cl.warm()
}

// prolong notes that the server has just been asked to keep the grant for so long.
func (h *held) prolong(life time.Duration) {
	h.life = life
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
	if h == nil {
		return nil
	}
	delete(cl.held, seq)
	delete(h.place.held, seq)
	cl.tidy(h.place)
	return h
}

// lose drops a grant of which the server says that it has ended, and tells its holder.
func (cl *client) lose(h *held, reason backends.LostReason) {
	cl.drop(h.id.Seq)
	h.tell(backends.Event{Grant: h.id, Type: backends.Lost, Err: &backends.LostError{
		Name: h.place.name, Token: h.token, Reason: reason,
	}})
}

// contend tells a holder once that others wait.
func (h *held) contend(is bool) {
	if is && !h.contended {
		h.tell(backends.Event{Grant: h.id, Type: backends.Contended})
	}
	h.contended = is
}

// tried tells a holder that another client has found the name busy.
func (h *held) tried() {
	if h.told = h.tries; h.tries {
		h.tell(backends.Event{Grant: h.id, Type: backends.Tried})
	}
}

// contend tells all who hold something of the place.
func (p *place) contend() {
	for _, h := range p.held {
		h.contend(true)
	}
}

func (h *held) tell(e backends.Event) {
	if h.notify != nil {
		h.notify(e)
	}
}
