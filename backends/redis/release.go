package redis

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Release gives a grant back, in one command, and lets the queue move up: the processes that come next are told. A
// grant that has ended before is an error that wraps [backends.ErrLost]; ErrUnavailable, or the error of a context that
// ended first, says that the outcome is unknown: then the release can be repeated, or left to the grant's end.
func (b *Backend) Release(ctx context.Context, g backends.Grant) error {
	if err := backends.CheckName(g.Resource.Name); err != nil {
		return wrap("release", "", err)
	}
	p := &parting{run: newRun(), b: b, grant: g}
	b.desk.actor.Deliver(p)
	if err := b.run(ctx, &p.run, p, b.clients.lane); err != nil { // and p.err is the task's alone
		b.desk.actor.Deliver(leaving{g.ID, false})
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
	if h := d.held[p.grant.ID.Seq]; h != nil && h.id == p.grant.ID {
		p.again = h.unsure
	}
	leaving{p.grant.ID, true}.on(d)
	p.run.on(d)
}

func (p *parting) exchange(ctx context.Context, c redis.UniversalClient) message {
	if p.err = p.b.release(ctx, c, p.grant, p.again); p.err == nil || isLost(p.err) {
		return released{p.grant.ID}
	}
	return leaving{p.grant.ID, false}
}

// leaving says that a grant's release is on its way, or has failed. A heartbeat may find the grant released before the
// release's answer is handled.
type leaving struct {
	id backends.GrantID
	is bool
}

func (m leaving) on(d *desk) {
	if h := d.held[m.id.Seq]; h != nil && m.id == h.id {
		h.leaving, h.unsure = m.is, h.unsure || !m.is
	}
}

// release gives a grant back. A name remembers its last release only. So when one that is repeated, again says so or the client library
// has done it, finds nothing, then most likely the first has had its effect and another grant has come and gone since: no loss.
func (b *Backend) release(ctx context.Context, c redis.UniversalClient, g backends.Grant, again bool) error {
	v, copied, err := b.evalWatched(ctx, c, giveBackScript, b.giveBackCall(g.Resource.Name, g.ID, "release"))
	var unconfirmed *notReplicatedError
	if errors.As(err, &unconfirmed) {
		return nil // a release that a failover forgets ends with the grant's time
	}
	r, err := asReply(v, err)
	if err != nil {
		return b.classify(err)
	}
	if err := refusal(r.int(0)); err != nil {
		return err
	}
	if r.int(0) == 0 && !copied && !again {
		return lost(g, backends.NotOwner)
	}
	return nil
}

// released says that a grant has ended. If a copy of its acquire may still come, it is forbidden, or takes what it gets with it.
type released struct{ id backends.GrantID }

func (m released) on(d *desk) {
	if m.id.Client != d.b.id {
		return
	}
	if h := d.drop(m.id.Seq); h != nil && h.copied {
		d.giveBack(&giveBack{call: d.b.giveBackCall(h.place.name, m.id, "forbid")})
	}
}

// Break ends every grant of the resource. Holders hear of it at once if their inbox is open, which it is when they have
// held for a moment, and otherwise at their next renewal. The reason that they are given is Broken if the message reached
// them before anything else did, and else NotOwner.
func (b *Backend) Break(ctx context.Context, name string) error {
	if err := backends.CheckName(name); err != nil {
		return wrap("break", "", err)
	}
	var err error
	e := b.call(ctx, func(ctx context.Context) message {
		var r row
		at := b.address(name)
		k := call{keys: at.keys, args: append(b.header(1), at.text)}
		if r, err = asReply(b.eval(ctx, b.clients.calls, breakScript, k)); err != nil {
			err = b.classify(err)
		} else {
			err = refusal(r.int(0))
		}
		return nil
	})
	if e != nil { // and err is the task's alone
		return wrap("break", name, e)
	}
	return wrap("break", name, blame(ctx, err))
}
