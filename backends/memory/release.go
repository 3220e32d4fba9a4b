package memory

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Release gives a grant back and lets the queue move up. It does so whether or not ctx has ended: there is nothing
// to wait for. A grant that is not held any more (released before, broken) is an error that wraps
// [backends.ErrLost], and nothing changes.
func (b *Backend) Release(_ context.Context, g backends.Grant) error {
	c := b.newCall((*store).release)
	defer c.free()
	c.grant = g
	b.do(c)
	return wrap("release", g.Resource.Name, c.err)
}

func (s *store) release(c *call) { c.answer(s.releaseFor(c.client, c.grant)) }

func (s *store) releaseFor(b *Backend, g backends.Grant) error {
	if b.closed {
		return backends.ErrClosed
	}
	r, i, err := s.held(g)
	if err == nil {
		r.free(i)
		s.settle(r)
	}
	return err
}

// held finds the holder that g made.
func (s *store) held(g backends.Grant) (*resource, int, error) {
	if r := s.resources[g.Resource.Name]; r != nil {
		if i, found := r.find(g); found {
			return r, i, nil
		}
	}
	return nil, 0, &backends.LostError{Name: g.Resource.Name, Token: g.Token, Reason: backends.NotOwner}
}

// Break ends every grant of the resource and lets the queue move up. The holders' Notify gets a Lost event.
func (b *Backend) Break(ctx context.Context, name string) error {
	if err := backends.CheckName(name); err != nil {
		return wrap("break", "", err)
	}
	if err := ended(ctx); err != nil {
		return wrap("break", name, err)
	}
	return b.run("break", name, func(s *store) {
		r := s.resources[name]
		if r == nil {
			return
		}
		for i := len(r.holders) - 1; i >= 0; i-- {
			h := r.free(i)
			h.tell(backends.Lost, &backends.LostError{Name: name, Token: h.Token, Reason: backends.Broken})
		}
		s.settle(r)
	})
}

// Close ends the client: its waiting requests fail with [backends.ErrClosed], its grants are released. It costs time in
// proportion to the resources in use. Peers go on. A second Close does nothing.
func (b *Backend) Close(context.Context) error {
	c := b.newCall((*store).closeClient)
	defer c.free()
	b.do(c)
	return wrap("close", "", c.err)
}

func (s *store) closeClient(c *call) {
	b := c.client
	b.closed = true
	for _, r := range s.resources {
		s.withdraw(b, r)
	}
	c.answer(nil)
}

// withdraw takes everything that b has out of the resource.
func (s *store) withdraw(b *Backend, r *resource) {
	for e := r.queue.Front(); e != nil; {
		w := e.Value.(*call)
		e = e.Next()
		if w.client == b {
			r.leave(w)
			w.answer(backends.ErrClosed)
		}
	}
	for i := len(r.holders) - 1; i >= 0; i-- {
		if r.holders[i].ID.Client == b.id {
			r.free(i)
		}
	}
	s.settle(r) // last: nobody of b may move up
}
