package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // scripts can compute no other hash, and a proof is random
	"encoding/hex"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Detach takes a grant from its client, see [backends.Backend]. The server keeps a hash of the
// proof.
func (b *Backend) Detach(ctx context.Context, d backends.Detachment) error {
	b.made()
	name := d.Grant.Resource.Name
	if err := d.Check(); err != nil {
		return wrap("detach", "", err)
	}
	if err := backends.Ended(ctx); err != nil {
		return wrap("detach", name, err)
	}
	var err error
	e := b.call(ctx, func(ctx context.Context) {
		err = b.detach(ctx, &d)
	})
	if e != nil { // and err is the task's alone
		return wrap("detach", name, e)
	}
	return wrap("detach", name, blame(ctx, err))
}

func (b *Backend) detach(ctx context.Context, d *backends.Detachment) error {
	at, seal := b.address(d.Grant.Resource.Name), sha1.Sum(proofText(d.Proof)) //nolint:gosec // the same
	res := b.eval(ctx, b.conns.urgent, detachScript, call{keys: at.keys, args: append(b.header(6),
		at.text, idText("", d.Grant.ID), micros(d.TTL+b.opt.grace), micros(d.Grant.AtLeast),
		d.Token, hex.EncodeToString(seal[:]))})
	switch r, err := asReply(res.val, res.err); {
	case err != nil:
		return b.classify(err)
	case r.int(0) == codeBusy:
		return lost(d.Grant, backends.NotOwner)
	case r.int(0) != codeGranted:
		return fmt.Errorf("%w: %w: code %d", backends.ErrUnavailable, errReply, r.int(0))
	}
	b.client.actor.Deliver(detached{d.Grant.ID})
	return nil
}

// proofText is the proof as the scripts take it.
func proofText(p backends.Proof) []byte { return hex.AppendEncode(nil, p[:]) }

// detached tells the client that a grant is not its own any more. A copy of its acquire still
// on its way has no effect: while the grant is detached the copy finds that, and after an adoption
// the server ignores it.
type detached struct{ id backends.GrantID }

func (m detached) on(cl *client) {
	h := cl.heldBy(m.id)
	if h == nil {
		return
	}
	cl.drop(m.id.Seq)
	if h.copied {
		call := cl.b.endCall(h.place.name, idText(endForGood, m.id))
		cl.finish(&ending{call: call, until: time.Now().Add(h.life)})
	}
}

// Adopt makes a detached grant the client's own, see [backends.Backend]. If the server does not
// answer, the client releases what the request has or may still get.
func (b *Backend) Adopt(ctx context.Context, a backends.Adoption) (backends.Grant, error) {
	b.made()
	if err := a.Check(capabilities); err != nil {
		return backends.Grant{}, wrap("adopt", "", err)
	}
	if err := backends.Ended(ctx); err != nil {
		return backends.Grant{}, wrap("adopt", a.Name, err)
	}
	q := &request{Request: a.Request, terms: b.newTerms(a.Request)}
	q.id = backends.GrantID{Client: b.id, Seq: b.seq.Add(1)}
	b.tell(adopting{q})
	var g backends.Grant
	var err error
	e := b.call(ctx, func(ctx context.Context) {
		g, err = b.adopt(ctx, q, &a)
	})
	switch {
	case e == nil:
		return g, wrap("adopt", a.Name, blame(ctx, err))
	case ctx.Err() != nil: // the command may be on its way, and g and err are the task's alone
		b.tell(unadopted{q})
	default:
		b.tell(refused{q, make(chan bool, 1)})
	}
	return backends.Grant{}, wrap("adopt", a.Name, e)
}

func (b *Backend) adopt(ctx context.Context, q *request, a *backends.Adoption) (g backends.Grant, err error) {
	at, sent := b.address(q.Name), time.Now()
	res := b.eval(ctx, b.conns.calls, adoptScript, call{keys: at.keys, args: append(b.header(6),
		at.text, idText("", a.ID), proofText(a.Proof), idText("", q.id), b.wantText(q), b.ownerText(q.Owner))})
	r, err := asReply(res.val, res.err)
	switch {
	case res.err != nil && res.unsure:
		b.client.actor.Deliver(unadopted{q})
		return g, b.classify(err)
	case err == nil && r.int(0) == codeGranted:
		token, ok := r.token(1)
		if !ok {
			b.client.actor.Deliver(unadopted{q})
			return g, fmt.Errorf("%w: %w: token %d", backends.ErrUnavailable, errReply, r.int(1))
		}
		g = backends.Grant{
			ID: q.id, Resource: q.Resource, Weight: q.Weight, Token: token, Tokens: 1,
			ValidUntil: backends.ValidUntil(sent, q.TTL), Contended: r.int(2) != 0, AtLeast: q.AtLeast,
		}
		m := adopted{q, g, make(chan error, 1)}
		b.client.actor.Deliver(m)
		return g, <-m.done
	}
	m := refused{q, make(chan bool, 1)}
	b.client.actor.Deliver(m)
	over := <-m.over
	switch {
	case over: // a release that overtook the command has refused it, so the ticket may be good
		return g, backends.ErrClosed
	case err != nil:
		return g, b.classify(err)
	case r.int(0) == codeBusy:
		return g, backends.ErrTicket
	}
	return g, fmt.Errorf("%w: %w: code %d", backends.ErrUnavailable, errReply, r.int(0))
}

// The messages of an adoption. The first of those that follow adopting, or the end of the client,
// decides what becomes of it.
type (
	adopting struct{ *request } // its command is on its way from now on
	refused  struct {           // it has had no effect, and will have none
		*request
		over chan bool // capacity 1: whether it was given up before
	}
	adopted struct {
		*request
		grant backends.Grant
		done  chan error
	}
	unadopted struct{ *request } // what it has, or may still get, is released
)

func (m adopting) on(cl *client) {
	if cl.adopting[m.id.Seq] = m.request; cl.closing { // its command may have begun before that
		unadopted(m).on(cl)
	}
}

func (m refused) on(cl *client) {
	delete(cl.adopting, m.id.Seq)
	m.over <- m.request.over
}

func (m refused) fail(error) { m.over <- true }

// on takes the grant into the books, unless it is on its way back.
func (m adopted) on(cl *client) {
	q := m.request
	if q.over {
		m.done <- backends.ErrClosed // or its caller has gone
		return
	}
	delete(cl.adopting, q.id.Seq)
	q.place = cl.place(q.Name)
	cl.hold(q, m.grant.Token, m.grant.Contended)
	m.done <- nil
}

func (m adopted) fail(err error) { m.done <- err }

func (m unadopted) on(cl *client) {
	q := m.request
	if q.over {
		return
	}
	q.over = true
	delete(cl.adopting, q.id.Seq)
	cl.drop(q.id.Seq) // if it was answered just before its caller left
	h := held{id: q.id, least: q.AtLeast, copied: true}
	life := cl.b.life(max(q.TTL, q.AtLeast))
	cl.finish(&ending{call: cl.b.endCall(q.Name, h.ends()...), until: time.Now().Add(life)})
}
