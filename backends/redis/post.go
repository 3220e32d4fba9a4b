package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

var _ backends.Poster = (*Backend)(nil)

// againTime bounds one attempt to ask again.
const againTime = time.Second

// afterArg is the place of the grant that is to be released first among the arguments of an acquire.
const afterArg = 11

// Post prepares an acquire for which no goroutine waits, and which can release a grant in the same command. See
// [backends.Poster]. Post panics without Answered, and with After but without Released.
func (b *Backend) Post(p backends.Post) backends.Posted {
	if p.Answered == nil || p.After != nil && p.Released == nil {
		panic("redis: Post needs Answered, and Released with After")
	}
	q := b.newRequest(context.Background(), p.Request, "wait")
	q.post = &post{Post: p, ended: make(chan struct{})}
	if p.After != nil {
		q.call.args[afterArg] = idText(p.After.ID)
	}
	return posted{q}
}

// post is what a request has instead of a caller that waits.
//
//	┌────────┐ Send   ┌────────┐ answered   ┌────────────────┐
//	│ posted │ ─────▶ │  sent  │ ─────────▶ │ asking, queued │ as any request: see doc.go
//	└────────┘        └────────┘            └────────────────┘
//
// The desk owns it. Its first command is sent, and waited for, by whoever calls Send; later ones, if there are any, by tasks.
type post struct {
	backends.Post
	sent     bool // its first command was handed out
	freed    bool // what became of After was told
	told     bool // what became of the request was told
	ended    chan struct{}
	patience *actor.Timer // until a request that was given up is told so, if the server does not confirm it
}

// conclude tells the outcome, once.
func (p *post) conclude(q *request, o outcome) {
	if p.told {
		return
	}
	p.told = true
	close(p.ended)
	if p.patience != nil {
		p.patience.Stop()
	}
	if o.err != nil {
		o.grant = backends.Grant{}
	}
	p.Answered(o.grant, wrap("acquire", q.Name, o.err))
}

// posted is a request in the hands of who posted it.
type posted struct{ *request }

// Send sends the request. See [backends.Posted].
func (p posted) Send(ctx context.Context) {
	q, b := p.request, p.desk.b
	if err := q.refusal(ctx); err != nil {
		b.desk.actor.Deliver(refuse{q, err})
	} else {
		b.desk.actor.Deliver(begin{q})
	}
	select { // never both: what has ended is handed out no more, and what is taken back again has ended
	case <-q.work:
		if b.perform(ctx, b.clients.lane, first{q}) {
			return
		}
		done, ended := b.delegate(ctx, first{q}), q.post.ended
		if q.post.After != nil {
			ended = nil // the release outlives the request, and a return may end its ctx
		}
		select { // a tie does not matter: the request has been given up, or what gave it up finds its answer
		case <-done:
		case <-ended:
		case <-ctx.Done():
			b.desk.actor.Deliver(giveUp{q})
		}
	case <-q.post.ended:
		if after := q.post.After; after != nil {
			q.post.Released(b.Release(ctx, *after))
		}
	}
}

// refusal says why the request is not to be sent at all.
func (q *request) refusal(ctx context.Context) error {
	if err := q.Check(capabilities); err != nil {
		return err
	}
	return ended(ctx)
}

// refuse fails a request that was not sent.
type refuse struct {
	*request
	err error
}

func (m refuse) on(*desk) { m.request.fail(m.err) }

// first sends the request's first command. If the server refuses to run it, as when its memory is exhausted, the release is
// not to suffer for it.
type first struct{ *request }

func (q first) exchange(ctx context.Context, c redis.UniversalClient) message {
	b, after := q.desk.b, q.post.After
	if after != nil {
		b.desk.actor.Deliver(leaving{after.ID})
	}
	a := q.attempt(ctx, c)
	var reply redis.Error
	switch {
	case after == nil:
	case a.err == nil && a.row.int(0) == codeLost: // nothing was asked for yet
		q.call.args[afterArg] = ""
		return releasedAlone{q.attempt(ctx, c), verdict(*after, false, a.copied)}
	case errors.As(a.err, &reply):
		return releasedAlone{a, b.release(ctx, c, *after, false)}
	}
	return a
}

// releasedAlone is an answer, and what became of the release by itself.
type releasedAlone struct {
	answer
	outcome error
}

func (m releasedAlone) on(d *desk) {
	m.post.free(d, m.outcome)
	m.answer.on(d)
}

// released finds out from the answer what became of the grant that was to be released first.
func (p *post) released(d *desk, a answer) {
	if p.After == nil || p.freed {
		return
	}
	a.call.args[afterArg] = "" // from now on it is an acquire like others
	var unconfirmed *notReplicatedError
	if errors.As(a.err, &unconfirmed) { // a release that a failover forgets ends with the grant's time
		a.err = nil
	}
	p.free(d, a.err)
}

// free takes a grant out of the books that was released, or not, and tells which.
func (p *post) free(d *desk, err error) {
	if p.freed {
		return
	}
	p.freed = true
	outcomeOf(*p.After, err).on(d)
	p.Released(wrap("release", p.After.Resource.Name, err))
}

// Cancel gives the request up. It may be called in another actor's turn: the desk's turn waits for nothing, and calls nobody who
// waits.
func (p posted) Cancel() {
	if d := p.desk; !d.actor.TryDeliver(giveUp(p)) {
		d.actor.Tell(giveUp(p))
	}
}

// askAgain asks the server again.
func (b *Backend) askAgain(q *request) message {
	ctx, cancel := context.WithTimeout(context.Background(), againTime)
	defer cancel()
	return q.ask(ctx, b.clients.calls)
}
