package redis

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// How a grant, or what a request has or may get, is taken from an id: what its argument begins with.
const (
	endGrant   = "R" // a grant
	endKeeping = "K" // a grant whose permits stay taken for so long after it was made
	endAny     = "C" // whatever there is
	endForGood = "F" // the same, and a request that may still be on its way has no effect
)

// endOf is what takes a held grant back, whose permits stay taken if least is not 0.
func endOf(id backends.GrantID, least time.Duration) string {
	if least == 0 {
		return idText(endGrant, id)
	}
	return idText(endKeeping+micros(least)+" ", id)
}

// ends are what takes the grant back. A copy of its acquire that may still come has no effect then.
func (h *held) ends() []string {
	switch {
	case !h.copied:
		return []string{endOf(h.id, h.least)}
	case h.least > 0: // what is kept already, endForGood leaves alone
		return []string{endOf(h.id, h.least), idText(endForGood, h.id)}
	}
	return []string{idText(endForGood, h.id)}
}

// released takes in what the server said of a release.
//
// A name remembers its last release only. A release that may have been repeated and finds nothing
// is no loss: most likely its first copy had its effect, and another grant has come and gone since.
func (cl *client) released(o *operation, i int, v any, res result) {
	g := &o.releases[i]
	_, again := cl.unsure[g.ID.Seq]
	var unconfirmed *notReplicatedError
	if errors.As(res.err, &unconfirmed) { // a release that a failover forgets ends with the grant's time
		cl.conclude(o, i, nil)
		return
	}
	if res.err != nil {
		cl.conclude(o, i, res.err)
		return
	}
	r, err := asRow(v)
	if err != nil {
		err = cl.b.classify(err)
	} else if r.int(0) == 0 && !res.unsure && !(again && g.ID.Client == cl.b.id) {
		err = lost(g.Grant, backends.NotOwner)
	}
	cl.conclude(o, i, err)
}

// conclude keeps the books on a release and tells what became of it, once. If a copy of the grant's
// acquire may still come, it is cancelled, or takes what it gets with it. A release that was not
// confirmed is repeated by the client from now on, which keeps the grant in its books for as long as
// the server may keep it.
func (cl *client) conclude(o *operation, i int, err error) {
	g := &o.releases[i]
	if err != nil && !isLost(err) {
		cl.unreleased(&g.Grant)
	} else if h := cl.heldBy(g.ID); h != nil {
		cl.drop(h.id.Seq)
		if h.copied {
			call := cl.b.endCall(h.place.name, idText(endForGood, h.id))
			cl.finish(&ending{call: call, until: time.Now().Add(h.life)})
		}
	}
	if !g.told {
		g.told = true
		o.op.Released(i, wrap("release", g.Resource.Name, err))
	}
}

func (cl *client) unreleased(g *backends.Grant) {
	back := &ending{until: g.ValidUntil.Add(cl.b.opt.grace), held: true}
	back.call = cl.b.endCall(g.Resource.Name, endOf(g.ID, g.AtLeast))
	if h := cl.heldBy(g.ID); h != nil {
		if h.back != nil {
			return
		}
		h.leaving, h.back = true, back
		if h.copied {
			h.least = g.AtLeast // as released
			back.call = cl.b.endCall(h.place.name, h.ends()...)
		}
		back.until, back.then = h.till, func() { cl.drop(h.id.Seq) }
		cl.markUnsure(h)
	} else if g.ID.Client == cl.b.id { // already released, or known to be lost
		return
	}
	if !cl.closing { // else closeAll gives it back
		cl.finish(back)
	}
}

// markUnsure remembers until the grant has expired that it may have been released already.
func (cl *client) markUnsure(h *held) {
	if cl.unsure[h.id.Seq] == nil && !cl.closing {
		cl.unsure[h.id.Seq] = cl.actor.After(time.Until(h.till), forgetUnsure{h.id.Seq})
	}
}

// forgetUnsure says that the grant has expired.
type forgetUnsure struct{ seq uint64 }

func (m forgetUnsure) on(cl *client) { delete(cl.unsure, m.seq) }

// Break ends every grant of the resource. ErrUnavailable says that it may have done so.
// Holders hear of it at once if their inbox is open, which it is when they have
// held for a moment, and otherwise at their next renewal. The reason that they are given is Broken if the message reached
// them before anything else did, and else NotOwner.
func (b *Backend) Break(ctx context.Context, name string) error {
	if err := backends.CheckName(name); err != nil {
		return wrap("break", "", err)
	}
	var err error
	e := b.call(ctx, func(ctx context.Context) {
		at := b.address(name)
		k := call{keys: at.keys, args: append(b.header(1), at.text)}
		res := b.eval(ctx, b.conns.calls, breakScript, k)
		_, err = asReply(res.val, res.err)
		err = b.classify(err)
	})
	if e != nil { // and err is the task's alone
		return wrap("break", name, e)
	}
	return wrap("break", name, blame(ctx, err))
}
