package memory

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Start begins an operation. If the store is at rest its answers come before Start returns, else
// from the store's goroutine. It returns no work. See [backends.Backend].
//
// Start panics if op lacks a callback that it needs.
func (b *Backend) Start(op *backends.Op) backends.Work {
	s := b.made()
	m := message{client: b, op: op, refused: op.Check(capabilities)}
	if op.Wait && len(op.Acquire) > 0 {
		if m.places = placesOf(op); m.places == nil {
			m.places = &places{op: op}
			op.State = m.places
		}
	}
	s.actor.Deliver(m)
	return nil
}

// Cancel takes the requests of op out of their queues. It returns no work. See [backends.Backend].
func (b *Backend) Cancel(op *backends.Op) backends.Work {
	s := b.made()
	if p := placesOf(op); p != nil {
		s.actor.Deliver(message{op: op, places: p, cancel: true})
	}
	return nil
}

// places are where the requests of an op stand. They stay with the op, in its State, for the next
// time that it is started. A Cancel that comes when op has its answers reads nothing else: its
// caller may change op while the message is on its way. If op is started again meanwhile, the
// cancel comes before the start, and does nothing.
type places struct {
	op *backends.Op // for as long as places lives
	of []place      // set by the first request that has to wait; owned by the store's actor
}

// placesOf returns nil for an op that has no places, or those of the op of which it is a copy.
func placesOf(op *backends.Op) *places {
	if p, _ := op.State.(*places); p != nil && p.op == op {
		return p
	}
	return nil
}

// start is the turn of Start: the releases, then the requests.
func (s *store) start(m message) {
	op := m.op
	for i := range op.Release {
		g := &op.Release[i]
		s.released(op, i, wrap("release", g.Resource.Name, s.release(m.client, g)))
	}
	if err := s.request(m); err != nil {
		for i := range op.Acquire {
			s.answer(op, i, err)
		}
	}
}

// request grants each request or gives it its place. An error fails all, and nothing is touched.
func (s *store) request(m message) error {
	op, verb := m.op, "acquire"
	if !op.Wait {
		verb = "try to acquire"
	}
	if m.refused != nil {
		return wrap(verb, "", m.refused)
	}
	var few [4]*resource // room for most operations without an allocation
	found := few[:0]
	var busy *resource
	if len(op.Acquire) > len(few) {
		found = make([]*resource, 0, len(op.Acquire))
	}
	for i := range op.Acquire {
		want := &op.Acquire[i]
		if m.client.closed {
			return wrap(verb, want.Name, backends.ErrClosed)
		}
		r := s.resources[want.Name]
		if r != nil && r.Resource != want.Resource {
			return wrap(verb, want.Name, &backends.MismatchError{Have: r.Resource, Want: want.Resource})
		}
		if r != nil && !op.Wait && !r.room(want.Weight) {
			busy = r
		}
		found = append(found, r)
	}
	if busy != nil {
		s.tellTried(m.client, op, found)
		// Somebody holds it: the head of a queue does not fit.
		return wrap(verb, busy.Name, &backends.BusyError{Name: busy.Name, Holder: busy.holders[0].seen()})
	}
	now := time.Now()
	for i, r := range found {
		if r == nil {
			r = s.open(op.Acquire[i].Resource)
		}
		s.admit(r, m, i, now)
	}
	return nil
}

// admit grants request i at once, or puts it at the end of the queue and tells every holder of
// another client that it is contended.
func (s *store) admit(r *resource, m message, i int, now time.Time) {
	b, want := m.client, &m.op.Acquire[i]
	b.seq++
	id := backends.GrantID{Client: b.id, Seq: b.seq}
	if r.room(want.Weight) {
		s.grant(r, m.op, i, id, now)
		return
	}
	p := m.places
	if cap(p.of) < len(m.op.Acquire) {
		p.of = make([]place, len(m.op.Acquire))
	}
	p.of = p.of[:len(m.op.Acquire)]
	r.enqueue(&p.of[i], place{resource: r, op: m.op, i: i, id: id, since: now})
	for _, h := range r.holders {
		if h.ID.Client != b.id && !h.quiet {
			s.event(h, backends.Contended, nil)
		}
	}
}

// tellTried tells the holders that want to know that a try of b was in vain because of them.
func (s *store) tellTried(b *Backend, op *backends.Op, found []*resource) {
	for i, r := range found {
		if r == nil || r.room(op.Acquire[i].Weight) {
			continue
		}
		for _, h := range r.holders {
			if h.ID.Client != b.id && h.tries {
				s.event(h, backends.Tried, nil)
			}
		}
	}
}

// cancel is the turn of Cancel: those behind the requests move up.
func (s *store) cancel(p *places) {
	for i := range p.of {
		if w := &p.of[i]; w.element != nil {
			r := w.resource
			r.leave(w)
			s.settle(r)
			s.answer(p.op, i, wrap("acquire", r.Name, context.Canceled))
		}
	}
}
