package memory

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// Backend is one client of a store in memory. Make it with [New] or [Backend.Peer]; the methods of
// the zero value panic. It is safe for concurrent use. It holds no goroutine while nothing is going
// on.
//
// A grant happens after the release that made room for it.
type Backend struct {
	store  *store
	id     uint64
	seq    uint64 // of the last request; owned by the store's actor
	closed bool   // owned by the store's actor
}

var _ backends.Backend = (*Backend)(nil)

var capabilities = backends.Capabilities{Name: "memory", Break: true, NamesHolder: true, Detach: true, AtLeast: true}

// New returns the first client of a new store.
func New() *Backend {
	s := &store{resources: make(map[string]*resource)}
	s.actor = actor.NewOnDemand("lockkeeper/memory", s.receive, s.fail)
	return s.client()
}

// Peer returns another client of the same store, as another process would be. It has an identity,
// grants and a Close of its own, and works whether or not b is closed.
func (b *Backend) Peer() *Backend { return b.made().client() }

// made returns the store. It panics if b is the zero value.
func (b *Backend) made() *store {
	if b.store == nil {
		panic("memory: use of a zero Backend: make it with New")
	}
	return b.store
}

// Capabilities tells what the store can do.
func (b *Backend) Capabilities() backends.Capabilities { return capabilities }

func (s *store) client() *Backend { return &Backend{store: s, id: rand.Uint64()} }

// message is what the store's actor takes: an operation to start or to cancel, or a call.
type message struct {
	op      *backends.Op // to start
	client  *Backend
	refused error   // why no request of op makes sense
	places  []place // of its requests; set by the first that has to wait; owned by the store's actor

	cancels *message // that has started what is to be cancelled

	call func(*store) error // of any other method, whose caller waits on done
	done chan error         // capacity 1: the actor never waits for a caller
}

// receive is one turn. Callbacks come at its end, when the state is whole: what they start or
// cancel is queued, and a callback that panics leaves nothing half changed.
func (s *store) receive(m *message) {
	var err error
	switch {
	case m.call != nil:
		err = m.call(s)
	case m.cancels != nil:
		s.cancel(m.cancels)
	default:
		s.start(m)
	}
	s.tellAll()
	if m.done != nil {
		m.done <- err
	}
}

// fail is called for the message in whose turn a callback has panicked, and for every message after
// it. The first time all that wait, or would be told of a grant, are told as well.
func (s *store) fail(m *message, p *actor.PanicError) {
	err := fmt.Errorf("%w: %w", backends.ErrUnavailable, p)
	switch {
	case !s.failed:
		s.failed = true
		for i := range s.tells[s.told:] {
			if t := &s.tells[s.told+i]; t.notify == nil && !t.release && t.err == nil {
				t.grant, t.err = backends.Grant{}, wrap("acquire", t.grant.Resource.Name, err)
			}
		}
		for _, r := range s.resources {
			for e := r.queue.Front(); e != nil; e = e.Next() {
				w := e.Value.(*place)
				s.answer(w.op, w.i, wrap("acquire", r.Name, err))
			}
		}
		clear(s.resources)
	case m.op != nil:
		for i := range m.op.Release {
			s.released(m.op, i, wrap("release", m.op.Release[i].Resource.Name, err))
		}
		for i := range m.op.Acquire {
			s.answer(m.op, i, wrap("acquire", m.op.Acquire[i].Name, err))
		}
	}
	s.tellRest()
	if m.done != nil {
		m.done <- err
	}
}

// run has the actor call f, and returns when it has.
func (b *Backend) run(ctx context.Context, verb, name string, f func(*store) error) error {
	s := b.made()
	if err := backends.Ended(ctx); err != nil {
		return wrap(verb, name, err)
	}
	m := &message{done: make(chan error, 1), call: func(s *store) error {
		if b.closed {
			return backends.ErrClosed
		}
		return f(s)
	}}
	s.actor.Deliver(m)
	return wrap(verb, name, <-m.done)
}

func wrap(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return &backends.OpError{Store: capabilities.Name, Op: verb, Name: name, Err: err}
}
