package redis

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Acquire waits in the queue on the server until the request is granted or ctx ends. See [backends.Backend].
//
// The first command either grants or queues. If it fails the call fails, with ErrUnavailable where the server cannot be
// reached. A request that is queued survives the server's absence: it goes on waiting until ctx ends, and if it lost its
// place meanwhile it queues again, and Notify says so (Requeued).
//
// When ctx ends, whatever the request got or may still get is given back; Acquire waits up to 50 ms for the server to
// confirm that. Without the confirmation the server frees it when its time to live or its heartbeat ends.
func (b *Backend) Acquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return b.request(ctx, r, "wait")
}

// TryAcquire grants the request now, or fails with [backends.ErrBusy]. See [backends.Backend].
func (b *Backend) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return b.request(ctx, r, "try")
}

func (b *Backend) request(ctx context.Context, r backends.Request, mode any) (backends.Grant, error) {
	if err := r.Check(capabilities); err != nil {
		return backends.Grant{}, wrap("acquire", "", err)
	}
	if err := ended(ctx); err != nil {
		return backends.Grant{}, wrap("acquire", r.Name, err)
	}
	q := b.newRequest(ctx, r, mode)
	q.done, q.gone = make(chan outcome, 1), make(chan struct{})
	b.desk.actor.Deliver(begin{q})
	o := b.attend(q)
	// The end of ctx wins, also over a grant that came with it. Nothing is lost: giveUp finds the request
	// wherever it is by now, waiting or holding, and gives back what it has.
	if ctx.Err() != nil && o.err == nil {
		o.err = ended(ctx)
		if cause := b.giveUp(q); cause != nil {
			o.err = fmt.Errorf("%w: %w", o.err, cause)
		}
	}
	if o.err != nil {
		return backends.Grant{}, wrap("acquire", r.Name, blame(ctx, o.err))
	}
	return o.grant, nil
}

// attend does the request's I/O whenever the desk asks for it, until there is an outcome. At the end of ctx it returns none.
func (b *Backend) attend(q *request) outcome {
	for {
		select { // a tie does not matter: see request
		case o := <-q.done:
			return o
		case <-q.work:
			if !b.perform(q.ctx, b.clients.lane, q) {
				b.delegate(q.ctx, q)
			}
		case <-q.ctx.Done():
			return outcome{}
		}
	}
}

// exchange asks the server, for a caller that waits for the answer.
func (q *request) exchange(ctx context.Context, c redis.UniversalClient) message {
	return q.attempt(ctx, c)
}

func (q *request) attempt(ctx context.Context, c redis.UniversalClient) answer {
	m := q.ask(ctx, c)
	if m.err != nil && ctx.Err() != nil { // before the desk takes it for a failure of the server
		q.desk.actor.Deliver(giveUp{q})
	}
	return m
}

// ask asks the server.
func (q *request) ask(ctx context.Context, c redis.UniversalClient) answer {
	sent := time.Now()
	res := q.desk.b.eval(ctx, c, acquireScript, q.call)
	r, err := asReply(spelt(res.val, q.Tokens), res.err)
	return answer{q, sent, r, res.unsure, q.desk.b.classify(err)}
}

// spelt returns the answer to an acquire in full: to a lone request that is granted it is the token alone.
func spelt(v any, tokens int) any {
	if _, lone := v.(int64); lone {
		return []any{int64(codeGranted), v, int64(tokens), int64(0)}
	}
	return v
}

// request is an acquire on its way, from begin to its outcome.
type request struct {
	backends.Request
	ctx  context.Context
	desk *desk
	id   backends.GrantID
	call call
	slip slip
	work chan struct{} // capacity 1: the desk asks its caller to send the command; see desk.handOut
	done chan outcome  // capacity 1: the desk never waits for a caller; nil for a post
	gone chan struct{} // closed when nothing is left of a request that was given up; nil for a post
	post *post         // nil: a caller waits

	// The rest belongs to the desk.
	place    *place
	spot     *list.Element // in place.waiting, once it was queued
	asking   bool          // its command is on its way
	copied   bool          // a copy of a command of it may be on its way as well
	notice   *notice       // that has come meanwhile
	sample   sample        // of the server's clock, the latest
	queuedAt int64         // on that clock: when it was put into the queue, as far as is known
	over     bool          // its outcome is decided, or its caller has gone
	trial    bool          // never waits
	given    bool          // up
	cause    error         // why it still waits, if the server could not be asked
	back     *giveBack     // what gives it back, after it was given up
}

type outcome struct {
	grant backends.Grant
	err   error
}

func (b *Backend) newRequest(ctx context.Context, r backends.Request, mode any) *request {
	b.made()
	q := &request{
		Request: r,
		ctx:     ctx,
		desk:    b.desk,
		id:      backends.GrantID{Client: b.id, Seq: b.seq.Add(1)},
		work:    make(chan struct{}, 1),
		trial:   mode == "try",
		slip:    b.newSlip(r),
	}
	var mark any = "h"
	if r.Quiet {
		mark = "s"
	}
	at := b.address(r.Name)
	q.call = call{
		keys: at.keys,
		args: append(b.header(12), at.text, idText(q.id), mode, int(r.Kind), r.Capacity, r.Weight, r.Tokens,
			micros(r.TTL+b.opt.grace), b.ownerText(r.Owner), "", mark, q.slip.text(b.opt, b.pace.Load().period, r.TTL)),
	}
	return q
}

func (q *request) fail(err error) {
	if !q.over {
		q.over = true
		q.conclude(outcome{err: err})
	}
}

// conclude tells whoever asked.
func (q *request) conclude(o outcome) {
	if q.post == nil {
		q.done <- o
	} else {
		q.post.conclude(q, o)
	}
}

// begin takes up a request and asks the server for it.
type begin struct{ *request }

func (m begin) on(d *desk) {
	q := m.request
	switch {
	case q.over: // cancelled before it was sent
		return
	case d.closing:
		q.fail(backends.ErrClosed)
		return
	}
	q.place = d.place(q.Name)
	q.place.asked++
	d.waiting[q.id.Seq] = q
	d.ask(q)
	if q.post != nil {
		q.post.sent = true
	}
}

// ask sends the request, the first time or again. It has the same effect once or many times.
func (d *desk) ask(q *request) {
	q.asking = true
	if q.post != nil && q.post.sent {
		d.task(func() message { return d.b.askAgain(q) })
		return
	}
	d.handOut(q.work)
}

// answer is what the server said.
type answer struct {
	*request
	sent   time.Time // before the command
	row    row
	copied bool // the command may have been sent twice, or its fate is unknown
	err    error
}

func (a answer) on(d *desk) {
	q := a.request
	q.asking = false
	q.copied = q.copied || a.copied
	if q.post != nil {
		q.post.released(d, a)
	}
	if q.over {
		switch back := q.back; {
		case back == nil:
		case a.err != nil && !q.copied: // it was never sent
			back.moot = true
		case back.failed: // it may have taken effect after all
			d.giveBack(back.again())
		}
		return
	}
	switch code := a.row.int(0); {
	case a.err != nil:
		d.unanswered(q, a.err)
	case code == codeGranted:
		d.granted(q, a)
	case code == codeQueued:
		d.queued(q, a)
	case code == codeBusy:
		d.finish(q, outcome{err: backends.ErrBusy})
	case code == codeMismatch:
		have := backends.Resource{Name: q.Name, Kind: backends.Kind(a.row.int(1)), Capacity: a.row.int(2)}
		d.finish(q, outcome{err: &backends.MismatchError{Have: have, Want: q.Resource}})
	default:
		d.finish(q, outcome{err: fmt.Errorf("%w: %w: code %d", backends.ErrUnavailable, errReply, code)})
	}
}

func (d *desk) granted(q *request, a answer) {
	valid := backends.ValidUntil(a.sent, q.TTL)
	if time.Until(valid) <= q.MinValid { // it came so late that it is of no use; but then the next answer may be sooner
		d.ask(q)
		return
	}
	d.grant(q, backends.Grant{
		Token: a.row.uint(1), Tokens: int(a.row.int(2)), ValidUntil: valid, Contended: a.row.int(3) != 0,
	})
}

// grant answers the caller with a grant.
func (d *desk) grant(q *request, g backends.Grant) {
	g.ID, g.Resource, g.Weight, g.Waited = q.id, q.Resource, q.Weight, q.spot != nil
	d.hold(q, g.Token, g.Contended)
	d.finish(q, outcome{grant: g})
	if q.place.news { // it may have meant this grant, which was not in the books yet
		q.place.news = false
		d.due[q.place] = true
		d.beat()
	}
}

// queued notes that the request stands in the queue. From now on the heartbeat speaks for it, and the inbox hears
// when it is granted.
func (d *desk) queued(q *request, a answer) {
	q.cause = nil
	r := a.row
	q.sample = newSample(a.sent, r.int(3))
	if r.int(1) == 1 {
		q.queuedAt = q.sample.server
	}
	switch fresh := r.int(1) == 1; {
	case q.spot == nil:
		q.place.asked--
		q.spot = q.place.waiting.PushBack(q)
	case fresh:
		q.place.waiting.MoveToBack(q.spot)
		if q.Notify != nil {
			q.Notify(backends.Event{Grant: q.id, Type: backends.Requeued})
		}
	}
	d.listen()
	d.keepPulse()
	d.expect(q.place, r.int(2))
	if n := q.notice; n != nil {
		q.notice = nil
		d.told(q, *n)
	}
}

// unanswered: nothing is known of the request. One that stands in the queue goes on waiting, and the next heartbeat asks
// again; a new one fails.
func (d *desk) unanswered(q *request, err error) {
	if q.spot != nil && !final(err) {
		q.cause = err
		return
	}
	d.finish(q, outcome{err: err})
}

// finish answers the caller. If the request has failed, its place in the queue, or a grant that a
// copy of its command may still get, is given back.
func (d *desk) finish(q *request, o outcome) {
	if o.err != nil && (q.copied || q.spot != nil) {
		d.giveBack(d.b.giveBackOf(q, "forbid"))
	}
	d.forget(q)
	q.conclude(o)
}

// forget takes the request out of the books.
func (d *desk) forget(q *request) {
	d.recall(q)
	q.over = true
	delete(d.waiting, q.id.Seq)
	if q.spot != nil {
		q.place.waiting.Remove(q.spot)
		q.spot = nil
	} else {
		q.place.asked--
	}
	d.tidy(q.place)
}

// ownerJSON is an owner as it stands in the server's records. Bytes, so that any host and label come back.
type ownerJSON struct {
	Host  []byte `json:"h"`
	PID   int    `json:"p"`
	Label []byte `json:"l"`
}

// ownerText returns an owner as it stands there. A client has mostly one, so the last is kept.
func (b *Backend) ownerText(o backends.Owner) any {
	if last := b.owner.Load(); last != nil && last.Owner == o {
		return last.text
	}
	text, _ := json.Marshal(ownerOf(o)) // strings and a number: cannot fail
	b.owner.Store(&ownerText{o, text})
	return text
}

type ownerText struct {
	backends.Owner
	text any
}

func ownerOf(o backends.Owner) ownerJSON { return ownerJSON{[]byte(o.Host), o.PID, []byte(o.Label)} }

func (o ownerJSON) owner() backends.Owner {
	return backends.Owner{Host: string(o.Host), PID: o.PID, Label: string(o.Label)}
}
