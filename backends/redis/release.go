package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Release gives a grant back, in one command, and lets the queue move up: the processes that come
// next are told. A grant that has ended before is an error that wraps [backends.ErrLost]. Any other
// error, that of an ended context too, says that the server has not confirmed the release. The
// backend then repeats it in the background until it is confirmed or the grant has expired.
func (b *Backend) Release(ctx context.Context, g backends.Grant) error {
	b.made()
	if err := backends.CheckName(g.Resource.Name); err != nil {
		return wrap("release", "", err)
	}
	if err := backends.CheckContext(ctx); err != nil {
		return wrap("release", g.Resource.Name, err)
	}
	p := &parting{run: newRun(), b: b, grant: g}
	b.desk.actor.Deliver(p)
	if err := b.run(ctx, &p.run, p, b.clients.lane); err != nil { // and p.err is the task's alone
		b.desk.actor.Deliver(unreleased{g})
		return wrap("release", g.Resource.Name, err)
	}
	return wrap("release", g.Resource.Name, blame(ctx, p.err))
}

// parting is a release.
type parting struct {
	run
	b     *Backend
	grant backends.Grant
	again bool // an earlier release may have had its effect
	err   error
}

func (p *parting) on(d *desk) {
	if id := p.grant.ID; id.Client == d.b.id {
		_, p.again = d.unsure[id.Seq]
	}
	leaving{p.grant.ID}.on(d)
	p.run.on(d)
}

func (p *parting) exchange(ctx context.Context, c redis.UniversalClient) message {
	p.err = p.b.release(ctx, c, p.grant, p.again)
	return outcomeOf(p.grant, p.err)
}

// outcomeOf returns the message to the desk about a release that ended with err.
func outcomeOf(g backends.Grant, err error) message {
	if err == nil || isLost(err) {
		return released{g.ID}
	}
	return unreleased{g}
}

// leaving says that a grant's release is on its way. A heartbeat may find the grant released before
// the release's answer is handled.
type leaving struct{ id backends.GrantID }

func (m leaving) on(d *desk) {
	if h := d.grip(m.id); h != nil {
		h.leaving = true
	}
}

// release gives a grant back; again says that an earlier release of it may have run.
func (b *Backend) release(ctx context.Context, c redis.UniversalClient, g backends.Grant, again bool) error {
	res := b.eval(ctx, c, giveBackScript, b.giveBackCall(g.Resource.Name, g.ID, "release"))
	var unconfirmed *notReplicatedError
	if errors.As(res.err, &unconfirmed) {
		return nil // a release that a failover forgets ends with the grant's time
	}
	r, err := asReply(res.val, res.err)
	if err != nil {
		return b.classify(err)
	}
	return verdict(g, r.int(0) != 0, res.unsure || again)
}

// verdict returns the result of a release by whether the server has found the grant. A name
// remembers its last release only. A repeated release that finds nothing is no loss: most likely
// its first copy had its effect, and another grant has come and gone since.
func verdict(g backends.Grant, found, repeated bool) error {
	if found || repeated {
		return nil
	}
	return lost(g, backends.NotOwner)
}

// released says that a grant has ended. If a copy of its acquire may still come, it is forbidden, or takes what it gets with it.
type released struct{ id backends.GrantID }

func (m released) on(d *desk) {
	if h := d.grip(m.id); h != nil {
		d.drop(h.id.Seq)
		if h.copied {
			d.giveBack(&giveBack{call: d.b.giveBackCall(h.place.name, h.id, "forbid"), until: time.Now().Add(h.life)})
		}
	}
}

// unreleased says that a grant's release was not confirmed. From now on the desk repeats it, and
// keeps the grant in its books for as long as the server may keep it.
type unreleased struct{ grant backends.Grant }

func (m unreleased) on(d *desk) {
	g := m.grant
	back := &giveBack{call: d.b.giveBackCall(g.Resource.Name, g.ID, "release"), until: g.ValidUntil.Add(d.b.opt.grace), held: true}
	if h := d.grip(g.ID); h != nil {
		if h.back != nil {
			return
		}
		h.leaving, h.back = true, back
		if h.copied {
			back.call = d.b.giveBackCall(h.place.name, h.id, "forbid")
		}
		back.until, back.then = h.till, func() { d.drop(h.id.Seq) }
		d.markUnsure(h)
	} else if g.ID.Client == d.b.id { // already released, or known to be lost
		return
	}
	if !d.closing { // else closeAll gives it back
		d.giveBack(back)
	}
}

// markUnsure remembers until the grant has expired that it may have been released already.
func (d *desk) markUnsure(h *grip) {
	if d.unsure[h.id.Seq] == nil && !d.closing {
		d.unsure[h.id.Seq] = d.actor.After(time.Until(h.till), forgetUnsure{h.id.Seq})
	}
}

// forgetUnsure says that the grant has expired.
type forgetUnsure struct{ seq uint64 }

func (m forgetUnsure) on(d *desk) { delete(d.unsure, m.seq) }

// Break ends every grant of the resource. ErrUnavailable says that it may have done so.
// Holders hear of it at once if their inbox is open, which it is when they have
// held for a moment, and otherwise at their next renewal. The reason that they are given is Broken if the message reached
// them before anything else did, and else NotOwner.
func (b *Backend) Break(ctx context.Context, name string) error {
	if err := backends.CheckName(name); err != nil {
		return wrap("break", "", err)
	}
	var err error
	e := b.call(ctx, func(ctx context.Context) message {
		at := b.address(name)
		k := call{keys: at.keys, args: append(b.header(1), at.text)}
		res := b.eval(ctx, b.clients.calls, breakScript, k)
		_, err = asReply(res.val, res.err)
		err = b.classify(err)
		return nil
	})
	if e != nil { // and err is the task's alone
		return wrap("break", name, e)
	}
	return wrap("break", name, blame(ctx, err))
}
