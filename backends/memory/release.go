package memory

import (
	"context"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// release gives a grant back and lets the queue move up. A grant that is not held any more
// (released before, broken) is an error that wraps [backends.ErrLost], and nothing changes. With an
// AtLeast in g, the permits may stay taken.
func (s *store) release(b *Backend, g *backends.Grant) error {
	if b.closed {
		return backends.ErrClosed
	}
	r, i, err := s.held(g)
	if err == nil {
		if g.AtLeast == 0 || !s.keep(r, i) {
			s.free(r, i)
		}
		s.settle(r)
	}
	return err
}

// keep ends the grant of holder i but keeps its permits taken until its AtLeast is over. It returns
// false, and does nothing, if it is over already. A stopped timer sends no message, so endDisowned
// finds the grant unless the store has failed.
func (s *store) keep(r *resource, i int) bool {
	h := r.holders[i]
	left := h.least - time.Since(h.Since)
	if left <= 0 {
		return false
	}
	s.disown(r, h, left)
	return true
}

// disown takes the grant from its client, until the time that is left is over.
func (s *store) disown(r *resource, h *holder, left time.Duration) {
	h.notify = nil
	name, id := r.Name, h.ID
	h.timer = s.actor.After(left, &message{call: func(s *store) error {
		s.endDisowned(name, id)
		return nil
	}})
}

// endDisowned gives back the permits of a grant whose time is over. A detached one may stay taken
// for longer.
func (s *store) endDisowned(name string, id backends.GrantID) {
	r := s.resources[name]
	if r == nil {
		return
	}
	i := slices.IndexFunc(r.holders, func(h *holder) bool { return h.ID == id && h.timer != nil })
	if i < 0 {
		return
	}
	if h := r.holders[i]; h.seal != nil {
		if h.seal = nil; s.keep(r, i) {
			return
		}
	}
	s.free(r, i)
	s.settle(r)
}

// held finds the holder that g made.
func (s *store) held(g *backends.Grant) (*resource, int, error) {
	if r := s.resources[g.Resource.Name]; r != nil {
		if i, found := r.find(g); found {
			return r, i, nil
		}
	}
	return nil, 0, &backends.LostError{Name: g.Resource.Name, Token: g.Token, Reason: backends.NotOwner}
}

// Break ends every grant of the resource, kept ones too, and lets the queue move up. The holders'
// Notify gets a Lost event.
func (b *Backend) Break(ctx context.Context, name string) error {
	if err := backends.CheckName(name); err != nil {
		return wrap("break", "", err)
	}
	return b.run(ctx, "break", name, func(s *store) error {
		r := s.resources[name]
		if r == nil {
			return nil
		}
		for i := len(r.holders) - 1; i >= 0; i-- {
			h := r.holders[i]
			s.event(h, backends.Lost, &backends.LostError{Name: name, Token: h.Token, Reason: backends.Broken})
			s.free(r, i)
		}
		s.settle(r)
		return nil
	})
}

// Close ends the client: its waiting requests fail with [backends.ErrClosed], its grants are
// released or kept. It costs time in proportion to the resources in use. Peers go on. A second Close does
// nothing.
func (b *Backend) Close(context.Context) error {
	s := b.made()
	m := &message{done: make(chan error, 1), call: func(s *store) error {
		b.closed = true
		for _, r := range s.resources {
			s.endClient(b, r)
		}
		return nil
	}}
	s.actor.Deliver(m)
	return wrap("close", "", <-m.done)
}

// endClient takes all grants and requests of b out of the resource.
func (s *store) endClient(b *Backend, r *resource) {
	for e := r.queue.Front(); e != nil; {
		w := e.Value.(*place)
		e = e.Next()
		if w.id.Client == b.id {
			r.leave(w)
			s.answer(w.op, w.i, wrap("acquire", r.Name, backends.ErrClosed))
		}
	}
	for i := len(r.holders) - 1; i >= 0; i-- {
		if h := r.holders[i]; h.ID.Client == b.id && h.timer == nil && !s.keep(r, i) {
			s.free(r, i)
		}
	}
	s.settle(r) // last: no request of b may move up
}
