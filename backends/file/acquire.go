package file

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Acquire waits in the name's queue, which all processes share, until the request is granted or ctx ends.
// See [backends.Backend]. A holder that was stopped (SIGSTOP) holds on; one that was killed does not.
func (b *Backend) Acquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return b.request(ctx, r, acquire, "acquire")
}

// TryAcquire grants the request now, or fails with [backends.ErrBusy]. See [backends.Backend].
func (b *Backend) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return b.request(ctx, r, try, "try to acquire")
}

func (b *Backend) request(ctx context.Context, r backends.Request, v verb, what string) (backends.Grant, error) {
	if err := r.Check(capabilities); err != nil {
		return backends.Grant{}, wrap(what, "", err)
	}
	if err := ended(ctx); err != nil {
		return backends.Grant{}, wrap(what, r.Name, err)
	}
	var c *call
	for {
		c = b.newCall()
		c.request = r
		res := b.resource(r.Name)
		res.actor.Deliver(message{verb: v, call: c})
		c.await(ctx, res)
		b.finish(c)
		if c.err != errRetired { //nolint:errorlint // ours, unwrapped
			break
		}
	}
	if c.err == nil && ctx.Err() != nil {
		_ = b.Release(context.WithoutCancel(ctx), c.grant) // if it was lost meanwhile, so much the better
		c.err = errGaveUp
	}
	if errors.Is(c.err, errGaveUp) {
		c.err = ended(ctx)
	}
	if c.err != nil {
		return backends.Grant{}, wrap(what, r.Name, c.err)
	}
	return c.grant, nil
}

// await returns when c is answered, which the end of ctx brings about.
func (c *call) await(ctx context.Context, r *resource) {
	select { // the common case, at a third of the price
	case <-c.done:
		return
	default:
	}
	// When both are ready it does not matter which case runs: cancelWait leaves a call alone that was answered, and
	// afterwards the end of ctx wins in any case: the caller gives a grant back.
	select {
	case <-c.done:
	case <-ctx.Done():
		r.actor.Deliver(message{verb: cancelWait, call: c})
		<-c.done
	}
}

// withdraw takes a waiting call out of the queue.
func (r *resource) withdraw(c *call) {
	if c.state == granted || r.calls[c.id.Seq] != c {
		return // answered
	}
	r.leave(c)
	r.refuseCall(c, errGaveUp)
}
