package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Acquire waits in the queue until the request is granted or ctx ends. See [backends.Backend].
func (b *Backend) Acquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return b.request(ctx, r, (*store).acquire, "acquire")
}

// TryAcquire grants the request now, or fails with [backends.ErrBusy]. See [backends.Backend].
func (b *Backend) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return b.request(ctx, r, (*store).tryAcquire, "try to acquire")
}

func (b *Backend) request(
	ctx context.Context, r backends.Request, turn func(*store, *call), verb string,
) (backends.Grant, error) {
	if err := r.Check(capabilities); err != nil {
		return backends.Grant{}, wrap(verb, "", err)
	}
	if err := ended(ctx); err != nil {
		return backends.Grant{}, wrap(verb, r.Name, err)
	}
	c := b.newCall(turn)
	defer c.free()
	c.request = r
	b.store.actor.Deliver(c)
	b.await(ctx, c)
	if ctx.Err() != nil {
		if c.err == nil {
			_ = b.Release(ctx, c.grant) // if it was lost meanwhile, so much the better
		}
		c.err = ended(ctx)
	}
	if c.err != nil {
		return backends.Grant{}, wrap(verb, r.Name, c.err)
	}
	return c.grant, nil
}

// await returns when c is answered, which the end of ctx brings about.
func (b *Backend) await(ctx context.Context, c *call) {
	if !c.pending() {
		return
	}
	// When both are ready it does not matter which case runs: cancelWait leaves a call alone that is not waiting
	// any more, and afterwards the end of ctx wins in any case.
	select {
	case <-c.done:
	case <-ctx.Done():
		b.cancel(c)
		<-c.done
	}
}

// cancel sees to it that c is answered soon. It returns only when its own message has been handled: one still on its way
// could meet c when it is used again.
func (b *Backend) cancel(c *call) {
	k := b.newCall((*store).cancelWait)
	defer k.free()
	k.target = c
	b.do(k)
}

// ended returns the error of a context that is done or nil, else nil.
func ended(ctx context.Context) error {
	if err := backends.CheckContext(ctx); err != nil {
		return err
	}
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

func (s *store) acquire(c *call) {
	r, err := s.admit(c)
	switch {
	case err != nil:
		c.answer(err)
	case r.queue.Len() == 0 && r.fits(c):
		r.grant(c, c.since)
		c.answer(nil)
	default:
		r.enqueue(c)
		for _, h := range r.holders {
			if h.ID.Client != c.client.id {
				h.tell(backends.Contended, nil)
			}
		}
	}
}

func (s *store) tryAcquire(c *call) {
	r, err := s.admit(c)
	if err == nil {
		if r.queue.Len() == 0 && r.fits(c) {
			r.grant(c, c.since)
		} else {
			err = backends.ErrBusy
		}
	}
	c.answer(err)
}

// admit gives a request its number and finds its resource. A resource that it had to make is free,
// so the request is granted: none stays behind without a use.
func (s *store) admit(c *call) (*resource, error) {
	if c.client.closed {
		return nil, backends.ErrClosed
	}
	c.client.seq++
	c.grant.ID = backends.GrantID{Client: c.client.id, Seq: c.client.seq}
	c.since = time.Now()
	return s.open(c.request.Resource)
}

// cancelWait answers the target, if it still waits, and lets those behind it move up.
func (s *store) cancelWait(c *call) {
	if t := c.target; t.place != nil {
		r := s.resources[t.request.Name]
		r.leave(t)
		s.settle(r)
		t.answer(context.Canceled) // its caller will say it in the words of the context
	}
	c.answer(nil)
}
