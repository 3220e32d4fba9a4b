package manager

import (
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A keeper treats a part of a request for several names like any other request, but for what stands
// here: it makes no request of its own for it, and gives it no grant that the process holds.

// pin holds the name for the part at the head of the queue. The process has nothing of the whole
// name: a grant that it kept without a holder has gone back first.
func (k *keeper) pin(r *request) {
	s := r.several
	k.pinned = r
	c := s.op.granted[r.index]
	s.op.Acquire[r.index] = k.storeRequest(r)
	c.op, c.k, c.request, c.weight = s.op, k, r, r.weight
	s.pinned(k)
}

// partAnswered takes in the store's answer to a part.
func (k *keeper) partAnswered(c *call) {
	r := c.request
	k.pinned = nil
	waiting := r.place == queued // else it was cancelled
	if waiting {
		k.queue.remove(r)
	}
	ctx := c.op.ctx
	switch {
	case c.err == nil:
		k.partGranted(c, waiting)
		k.takeEarly()
		return
	case !waiting:
	case ctx != nil && ctx.Err() != nil: // the caller is going to say so
		r.state.Store(cancelled)
	case errors.Is(c.err, backends.ErrRequeued): // to keep the order, all are requested again
		r.state.Store(cancelled)
		r.several.fail(r, errPartLost)
	case errors.Is(c.err, ErrBusy):
		k.refuse(r, k.refusal(c.err))
	default:
		k.refuse(r, ofContract(c.err))
	}
	k.forgetEarly()
}

// ofContract returns the store's error, with ErrUnavailable if the contract has none of its kind: a
// context's error, say, although the caller's has not ended. The work of an All may be run by a task,
// whose time is not that of the caller.
func ofContract(err error) error {
	for _, known := range []error{
		ErrUnavailable, ErrClosed, ErrMismatch, ErrTooLarge, ErrInvalid, ErrPermission, ErrUnsupported,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	return &causeError{ErrUnavailable, err}
}

func (k *keeper) partGranted(c *call, waiting bool) {
	r, now := c.request, k.m.now()
	g := k.newGrant(&c.grant, now)
	switch {
	case !waiting:
		k.releaseUnused(g)
	case k.expires() && now >= g.valid-k.spare(): // too late to be of use: all are requested again
		r.state.Store(cancelled)
		r.several.fail(r, errTooLate)
		k.releaseUnused(g)
	default:
		if c.grant.Waited {
			k.contend(r)
		}
		k.seat(r, g, now)
	}
}

// cancelPart removes a part from the queue, or releases it.
func (k *keeper) cancelPart(r *request) {
	if k.pinned == r && r.several.missing.Load() != 0 { // no operation: there will be no answer
		k.pinned = nil
	}
	switch r.place {
	case queued:
		k.queue.remove(r)
		r.state.Store(cancelled)
		k.reconsider()
	case holding, straying:
		r.asked.Store(true)
		r.finish(wasReleased)
		k.release(&r.lease, nil)
	}
}

// releaseTogether leaves the grant of a part to the operation that releases all parts.
func (k *keeper) releaseTogether(g *grant, r *request) {
	c := r.several.release(r)
	c.k, c.grant, c.lease, c.whole = k, g.Grant, &r.lease, k.markReleased(g)
}
