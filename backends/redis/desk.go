package redis

import (
	"container/list"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// desk is the actor that knows what its client waits for and holds.
//
// Owns: requests that wait, grants that are held, the inbox, the heartbeat, what is to be given back.
// Takes: messages, each a small type with its handler beside the code that sends it.
// States: see doc.go. It runs on demand and does no I/O in a turn: tasks do, and their results are messages.
// Stops: by Close.
//
// Between turns:
//
//	I1  A request is in waiting from its begin until its caller's answer is decided, and then never again.
//	I2  A grant is in held from the turn that decides for it until it is given back, or known to be lost.
//	I3  A place is in names if and only if something of it waits or is held.
//	I4  The heartbeat's timer runs if and only if something waits.
//	I5  io counts the tasks, and the work handed out to callers, whose end has not been handled.
type desk struct {
	b     *Backend
	actor *actor.OnDemand[message]

	names   map[string]*place
	waiting map[uint64]*request // by number
	held    map[uint64]*grip    // by number

	pulse  *actor.Timer    // of the heartbeat
	due    map[*place]bool // whose state is to be asked for
	asking bool            // a beat is on its way

	returns returns
	unsure  map[uint64]*actor.Timer // grants whose release may have been repeated

	inbox inbox

	io      int
	closing bool
	shut    bool // the connections are being closed, or are
	closed  chan struct{}
}

// message is what the desk takes.
type message interface{ on(*desk) }

// asker is a message whose sender waits for an answer.
type asker interface{ fail(error) }

// place is a name of which something waits or is held.
type place struct {
	name    string
	waiting list.List // of *request that stand in the queue, as they were queued
	asked   int       // requests that are not in waiting yet
	held    map[uint64]*grip
	timer   *actor.Timer // until the next deadline, if that is sooner than the heartbeat
	expires time.Time    // when the next deadline passes, as far as is known
	looks   int          // heartbeats that looked at it
	broken  bool         // a message said that its grants were broken
	news    bool         // a message said that others wait, while a grant was on its way
}

// grip is a grant that is held.
type grip struct {
	id        backends.GrantID
	place     *place
	token     uint64
	contended bool
	life      time.Duration // bounds how long the server keeps it after it was granted or prolonged
	till      time.Time     // bounds until when the server keeps it
	leaving   bool          // its release is on its way: that it is not held any more is no loss
	back      *giveBack     // nil, or the repetition of its unconfirmed release
	copied    bool          // a copy of its acquire may be on its way
	notify    func(backends.Event)
}

func newDesk(b *Backend) *desk {
	d := &desk{
		b:       b,
		names:   make(map[string]*place),
		waiting: make(map[uint64]*request),
		held:    make(map[uint64]*grip),
		due:     make(map[*place]bool),
		unsure:  make(map[uint64]*actor.Timer),
		closed:  make(chan struct{}),
	}
	d.actor = actor.NewOnDemand("lockkeeper/redis", d.receive, d.failed)
	return d
}

func (d *desk) receive(m message) {
	if m != nil {
		m.on(d)
	}
}

// failed answers everybody after a panic: a desk whose state is half changed must not grant anything.
func (d *desk) failed(m message, p *actor.PanicError) {
	err := fmt.Errorf("%w: %w", backends.ErrUnavailable, p)
	for _, q := range d.waiting {
		q.fail(err)
	}
	clear(d.waiting)
	switch m := m.(type) {
	case asker:
		m.fail(err)
	case closeAll:
		d.endFailed()
	}
}

// endFailed closes what a desk that has failed can still close.
func (d *desk) endFailed() {
	if d.shut {
		return
	}
	d.shut = true
	d.b.closing.Store(true)
	sub := d.inbox.sub
	d.actor.Go(func() message {
		if sub != nil {
			sub.Close()
		}
		d.b.clients.close()
		d.end()
		return nil
	})
}

// task does I/O on a goroutine of its own; what it returns is handled as a message.
func (d *desk) task(f func() message) {
	d.io++
	d.actor.Go(func() message {
		grow(1)
		return performed{f()}
	})
}

// handOut asks a caller to do its own I/O, and counts it as a task: the caller tells the desk when it is performed.
func (d *desk) handOut(work chan struct{}) {
	d.io++
	work <- struct{}{}
}

// takeBack takes back work whose caller has gone, and reports false if it has been begun, or there is none.
func (d *desk) takeBack(work chan struct{}) bool {
	select {
	case _, ok := <-work:
		if ok {
			d.io--
		}
		return ok
	default:
		return false
	}
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

func (p performed) on(d *desk) {
	d.io--
	if p.message != nil {
		p.message.on(d)
	}
	d.settle()
}

func (d *desk) place(name string) *place {
	p := d.names[name]
	if p == nil {
		p = &place{name: name, held: make(map[uint64]*grip)}
		d.names[name] = p
	}
	return p
}

// tidy forgets a place that nobody uses and puts the heartbeat and the inbox in order.
func (d *desk) tidy(p *place) {
	if p.waiting.Len() == 0 && p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if p.waiting.Len() == 0 && p.asked == 0 && len(p.held) == 0 {
		delete(d.names, p.name)
		delete(d.due, p)
	}
	if len(d.waiting) == 0 && d.pulse != nil {
		d.pulse.Stop()
		d.pulse = nil
	}
	if len(d.waiting) == 0 && len(d.held) == 0 {
		d.cool()
	}
}

// hold takes a grant into the books.
func (d *desk) hold(q *request, token uint64, contended bool) {
	h := &grip{id: q.id, place: q.place, token: token, contended: contended, copied: q.copied, notify: q.Notify}
	h.prolong(d.b.life(q.TTL))
	d.held[q.id.Seq] = h
	q.place.held[q.id.Seq] = h
	d.warm()
}

// prolong notes that the server has just been asked to keep the grant for so long.
func (h *grip) prolong(life time.Duration) {
	h.life = life
	if till := time.Now().Add(life); till.After(h.till) {
		h.till = till
	}
}

// grip returns a grant that is held, or nil.
func (d *desk) grip(id backends.GrantID) *grip {
	if h := d.held[id.Seq]; h != nil && h.id == id {
		return h
	}
	return nil
}

// drop takes a grant out of the books; it may have left them before.
func (d *desk) drop(seq uint64) *grip {
	h := d.held[seq]
	if h == nil {
		return nil
	}
	delete(d.held, seq)
	delete(h.place.held, seq)
	d.tidy(h.place)
	return h
}

// lose drops a grant of which the server says that it has ended, and tells its holder.
func (d *desk) lose(h *grip, reason backends.LostReason) {
	d.drop(h.id.Seq)
	h.tell(backends.Event{Grant: h.id, Type: backends.Lost, Err: &backends.LostError{
		Name: h.place.name, Token: h.token, Reason: reason,
	}})
}

// contend tells a holder once that others wait.
func (h *grip) contend(is bool) {
	if is && !h.contended {
		h.tell(backends.Event{Grant: h.id, Type: backends.Contended})
	}
	h.contended = is
}

// contend tells all who hold something of the place.
func (p *place) contend() {
	for _, h := range p.held {
		h.contend(true)
	}
}

func (h *grip) tell(e backends.Event) {
	if h.notify != nil {
		h.notify(e)
	}
}
