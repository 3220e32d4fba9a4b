package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// What detach and adopt answer; see migrations.
const (
	detachEnded  = 0
	detachDone   = 1
	detachLocked = 2
	adoptNone    = 0
	adoptDone    = 1
	adoptPaused  = 5
)

// Detach takes a grant from its client, see [backends.Backend]. The server keeps a hash of the
// proof. A transaction of this lease that [Fence] has checked delays it until that has ended.
func (b *Backend) Detach(ctx context.Context, d backends.Detachment) error {
	name := d.Grant.Resource.Name
	if err := d.Check(); err != nil {
		return wrap("detach", "", err)
	}
	var err error
	e := b.do(ctx, func() { err = b.detach(limitOf(ctx), &d) })
	if e != nil { // and err is the task's alone
		return wrap("detach", name, e)
	}
	return wrap("detach", name, err)
}

// detach asks until no other session has the grant locked.
func (b *Backend) detach(limit time.Duration, d *backends.Detachment) error {
	seal, end := sha256.Sum256(d.Proof[:]), time.Now().Add(limit)
	for {
		a := b.ask(time.Until(end), nil, b.call.detach, int64(b.id), []byte(d.Grant.Resource.Name),
			b.seqOf(d.Grant.ID), int64(d.Token), life(d.TTL).Microseconds(), seal[:])
		switch {
		case a.err != nil:
			return a.err
		case len(a.numbers) != 1:
			return b.classify(errReply)
		case a.numbers[0] == detachEnded:
			return lost(d.Grant, backends.NotOwner)
		case a.numbers[0] == detachDone:
			b.client.actor.Deliver(detached{d.Grant.ID})
			return nil
		case a.numbers[0] != detachLocked:
			return b.classify(errReply)
		case !time.Now().Before(end) || !sleep(b.ctx, renewPause):
			return fmt.Errorf("%w: another session has it locked", backends.ErrUnavailable)
		}
	}
}

// detached tells the client that a grant is not its own any more.
type detached struct{ id backends.GrantID }

func (m detached) on(cl *client) {
	if cl.heldBy(m.id) != nil {
		cl.drop(m.id.Seq)
	}
}

// Adopt makes a detached grant the client's own, see [backends.Backend]. If the server does not
// answer, the client releases what the request has or may still get.
func (b *Backend) Adopt(ctx context.Context, a backends.Adoption) (backends.Grant, error) {
	if err := a.Check(capabilities); err != nil {
		return backends.Grant{}, wrap("adopt", "", err)
	}
	if err := backends.Ended(ctx); err != nil {
		return backends.Grant{}, wrap("adopt", a.Name, err)
	}
	q := &request{Request: a.Request, id: backends.GrantID{Client: b.id, Seq: b.seq.Add(1)}}
	b.tell(adopting{q})
	var g backends.Grant
	var err error
	e := b.do(ctx, func() { g, err = b.adopt(q, &a) })
	switch {
	case e == nil:
		return g, wrap("adopt", a.Name, err)
	case ctx.Err() != nil: // the statement may be on its way, and g and err are the task's alone
		b.tell(unadopted{q})
	default:
		b.tell(refused{q, make(chan bool, 1)})
	}
	return backends.Grant{}, wrap("adopt", a.Name, e)
}

func (b *Backend) adopt(q *request, a *backends.Adoption) (g backends.Grant, err error) {
	r := b.ask(callTime, nil, b.call.adopt, int64(b.id), []byte(q.Name), int64(q.id.Seq), int64(q.Kind),
		q.Capacity, q.Weight, life(q.TTL).Microseconds(), q.flags(), ownerText(q.Owner),
		int64(a.ID.Client), int64(a.ID.Seq), a.Proof[:])
	const fields = 3
	code := int64(-1)
	switch {
	case r.err != nil:
	case len(r.numbers) != fields:
		r.err = b.classify(errReply)
	case r.numbers[0] == adoptDone && r.numbers[1] <= 0:
		r.err, r.unsure = b.classify(errReply), true // what was adopted, nobody knows
	default:
		code = r.numbers[0]
	}
	switch code {
	case adoptDone: // a copy that comes late finds the grant, or nothing
		g = backends.Grant{
			ID: q.id, Resource: q.Resource, Weight: q.Weight, Token: uint64(r.numbers[1]), Tokens: 1,
			ValidUntil: backends.ValidUntil(r.sent, q.TTL), Contended: r.numbers[2] != 0, AtLeast: q.AtLeast,
		}
		m := adopted{q, g, make(chan error, 1)}
		b.client.actor.Deliver(m)
		return g, <-m.done
	case adoptNone:
		r.err, r.unsure = backends.ErrTicket, false
	case adoptPaused:
		r.err = errPaused
	}
	if r.unsure {
		b.client.actor.Deliver(unadopted{q})
		return g, r.err
	}
	m := refused{q, make(chan bool, 1)}
	b.client.actor.Deliver(m)
	if <-m.over { // a cancellation that overtook the statement has refused it, so the ticket may be good
		return g, backends.ErrClosed
	}
	return g, r.err
}

// The messages of an adoption. The first of those that follow adopting, or the end of the client,
// decides what becomes of it.
type (
	adopting struct{ *request } // its statement is on its way from now on
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
	if cl.closing {
		m.over = true // and no statement follows
		return
	}
	cl.adopting[m.id.Seq] = m.request
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
	cl.hold(q, m.grant)
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
	cl.finish(&ending{name: q.Name, id: q.id, forbid: true, until: time.Now().Add(longest(q.Request))})
}
