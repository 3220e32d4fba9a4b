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
	m := messageOf(op)
	if m == nil {
		m = &message{op: op}
		op.State = m
	}
	m.client, m.refused = b, op.Check(capabilities)
	s.actor.Deliver(m)
	return nil
}

// Cancel takes the requests of op out of their queues. It returns no work. See [backends.Backend].
func (b *Backend) Cancel(op *backends.Op) backends.Work {
	s := b.made()
	if m := messageOf(op); m != nil {
		s.actor.Deliver(&message{cancels: m})
	}
	return nil
}

// messageOf returns the message that starts op: it stays with op, in its State, for the next time.
// It is nil for an op that was never started, and for a copy of one that was.
func messageOf(op *backends.Op) *message {
	if m, _ := op.State.(*message); m != nil && m.op == op {
		return m
	}
	return nil
}

// start is the turn of Start: the releases, then the requests.
func (s *store) start(m *message) {
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
func (s *store) request(m *message) error {
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
func (s *store) admit(r *resource, m *message, i int, now time.Time) {
	b, want := m.client, &m.op.Acquire[i]
	b.seq++
	id := backends.GrantID{Client: b.id, Seq: b.seq}
	if r.room(want.Weight) {
		s.grant(r, m.op, i, id, now)
		return
	}
	if cap(m.places) < len(m.op.Acquire) {
		m.places = make([]place, len(m.op.Acquire))
	}
	m.places = m.places[:len(m.op.Acquire)]
	r.enqueue(&m.places[i], place{resource: r, op: m.op, i: i, id: id, since: now})
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

// cancel is the turn of Cancel: those behind the requests of m move up. If m has its answers, only
// its places are read: its caller may change op meanwhile. If it is started again, the cancel comes
// before the start, and does nothing.
func (s *store) cancel(m *message) {
	for i := range m.places {
		if w := &m.places[i]; w.element != nil {
			r := w.resource
			r.leave(w)
			s.settle(r)
			s.answer(m.op, i, wrap("acquire", r.Name, context.Canceled))
		}
	}
}
