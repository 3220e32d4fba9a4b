package redis

import (
	"container/list"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/serverclock"
)

// request is one of an operation, from begin to its answer. The client owns it.
type request struct {
	backends.Request
	op    *operation
	index int // in op
	id    backends.GrantID
	terms terms

	place    *place
	spot     *list.Element      // in place.waiting, once it was queued
	asking   bool               // a command for it is on its way, or may be
	copied   bool               // a copy of a command of it may be on its way as well
	wakeUp   *wakeUp            // that has come meanwhile
	sample   serverclock.Sample // of the server's clock, the latest
	queuedAt int64              // on that clock: when it was put into the queue, as far as is known
	cause    error              // why it still waits, if the server could not be asked
	over     bool               // it is granted, or has failed
	grant    backends.Grant
	told     bool    // its answer was told
	back     *ending // what takes it back, after it has failed
}

// args appends the request as scripts take it; see op.lua.
func (q *request) args(to []any) []any {
	b := q.op.b
	secret := strconv.FormatUint(q.terms.secret, 16)
	return append(to, idText("", q.id), b.wantText(q), secret, b.ownerText(q.Owner))
}

// want is what a request says of itself, but for what is its own: see op.lua.
type want struct {
	kind             backends.Kind
	capacity, weight int64
	tokens           int
	life, keep       time.Duration
	mark             byte
}

type wantText struct {
	want
	text any
}

// wantText returns what a request says of itself. The server keeps a grant at least for as long as
// its permits are to stay taken, though its holder relies on it for its time to live only: so they
// do if it dies, or its brief grant is not asked for. A client mostly repeats itself, so the last is
// kept.
func (b *Backend) wantText(q *request) any {
	w := want{
		q.Kind, q.Capacity, q.Weight, q.Tokens, max(q.TTL, q.AtLeast) + b.opt.grace,
		max(q.terms.keep(b.pace.Load().period, q.TTL), q.AtLeast) + b.opt.grace, q.mark(),
	}
	if last := b.want.Load(); last != nil && last.want == w {
		return last.text
	}
	text := fmt.Sprintf("%d %d %d %d %d %c%d", w.kind, w.capacity, w.weight, w.tokens, w.life.Microseconds(),
		w.mark, w.keep.Microseconds())
	b.want.Store(&wantText{w, text})
	return text
}

// mark is how the grant is marked, see state.lua.
func (q *request) mark() byte {
	mark := byte('h')
	if q.Quiet {
		mark = 's'
	}
	if q.Tries {
		mark -= 'a' - 'A'
	}
	return mark
}

// ask sends the request again. It has the same effect once or many times.
func (cl *client) ask(q *request) {
	q.asking = true
	cl.send(q.op.exchange([]part{{at: cl.b.address(q.Name), request: q.index}}))
}

// answered takes in what the server said of a request.
func (cl *client) answered(q *request, sent time.Time, v any, err error) {
	if q.over {
		switch back := q.back; {
		case back == nil:
		case err != nil && !q.copied: // it was never sent
			back.moot = true
		case back.failed: // it may have taken effect after all
			cl.finish(back.again())
		}
		return
	}
	var r row
	if err == nil {
		r, err = q.row(v)
	}
	switch code := r.int(0); {
	case err != nil:
		cl.unanswered(q, err)
	case code == codeGranted:
		cl.granted(q, sent, r)
	case code == codeQueued:
		cl.queued(q, sent, r)
	case code == codeIdle: // because of another request, whose row tells why
	case code == codeBusy:
		q.op.busy = q.wrap(q.busy(r))
	case code == codeMismatch:
		have := backends.Resource{Name: q.Name, Kind: backends.Kind(r.int(1)), Capacity: r.int(2)}
		cl.fail(q.op, q, &backends.MismatchError{Have: have, Want: q.Resource}, false)
	default:
		cl.fail(q.op, q, fmt.Errorf("%w: %w: code %d", backends.ErrUnavailable, errReply, code), false)
	}
}

// busy reads why a try is refused: who holds the name, if the server says so.
func (q *request) busy(r row) error {
	said, _ := at(r, 2).(string)
	id, record, _ := strings.Cut(said, " ")
	if h, ok := parseHolder(id, record, r.int(1)); ok {
		return &backends.BusyError{Name: q.Name, Holder: h}
	}
	return backends.ErrBusy
}

// row reads a request's row. A token alone grants what was asked for, and nobody else waits.
func (q *request) row(v any) (row, error) {
	if _, lone := v.(int64); lone {
		return row{int64(codeGranted), v, int64(q.Tokens), int64(0)}, nil
	}
	r, err := asRow(v)
	return r, q.op.b.classify(err)
}

func (cl *client) granted(q *request, sent time.Time, r row) {
	valid := backends.ValidUntil(sent, q.TTL)
	if time.Until(valid) <= q.MinValid { // it came so late that it is of no use; but then the next answer may be sooner
		cl.ask(q)
		return
	}
	token, ok := r.token(1)
	if !ok || r.int(2) != int64(q.Tokens) {
		q.copied = true // what it is a grant of, nobody knows
		cl.fail(q.op, q, fmt.Errorf("%w: %w: %d tokens from %d", backends.ErrUnavailable, errReply, r.int(2), r.int(1)), false)
		return
	}
	cl.grant(q, backends.Grant{Token: token, Tokens: q.Tokens, ValidUntil: valid, Contended: r.int(3) != 0})
}

// grant answers the request with a grant. A try over several slots is answered when it has all.
func (cl *client) grant(q *request, g backends.Grant) {
	g.ID, g.Resource, g.Weight, g.Waited = q.id, q.Resource, q.Weight, q.spot != nil
	g.AtLeast = q.AtLeast
	p, o := q.place, q.op
	cl.hold(q, g.Token, g.Contended)
	cl.forget(q)
	q.grant = g
	o.granted++
	if o.wait {
		cl.answer(q, g, nil)
	}
	cl.proceed(o)
	if p.tried { // it may have meant this grant, which was not in the books yet
		p.tried = false
		if h := cl.heldBy(q.id); h != nil {
			h.tried()
		}
	}
	if p.news { // it may have meant this grant, which was not in the books yet
		p.news = false
		cl.due[p] = true
		cl.lookAtDue()
	}
}

// answer tells the caller, once.
func (cl *client) answer(q *request, g backends.Grant, err error) {
	if q.told {
		return
	}
	q.told = true
	o := q.op
	if o.open--; o.open == 0 && o.patience != nil {
		o.patience.Stop()
	}
	o.op.Granted(q.index, g, q.wrap(err))
}

// wrap says which request failed.
func (q *request) wrap(err error) error {
	if err == nil {
		return nil
	}
	var wrapped *backends.OpError
	if errors.As(err, &wrapped) {
		return err
	}
	if q.op.wait {
		return wrap("acquire", q.Name, err)
	}
	return wrap("try to acquire", q.Name, err)
}

// queued notes that the request stands in the queue. From now on the heartbeat speaks for it, and the inbox hears
// when it is granted.
func (cl *client) queued(q *request, sent time.Time, r row) {
	q.cause = nil
	q.sample = serverclock.New(sent, r.int(3))
	isNew := r.int(1) == 1
	if isNew {
		q.queuedAt = q.sample.Server
	}
	switch {
	case q.spot == nil:
		q.place.asked--
		q.spot = q.place.waiting.PushBack(q)
	case isNew && len(q.op.requests) > 1: // its places would not be in one order with those of others
		cl.fail(q.op, q, fmt.Errorf("%w: %w", backends.ErrUnavailable, backends.ErrRequeued), false)
		return
	case isNew:
		q.place.waiting.MoveToBack(q.spot)
		if q.Notify != nil {
			q.Notify(backends.Event{Grant: q.id, Type: backends.Requeued})
		}
	}
	cl.listen()
	cl.keepHeartbeat()
	cl.expect(q.place, r.int(2))
	if n := q.wakeUp; n != nil {
		q.wakeUp = nil
		cl.told(q, *n)
	}
}

// unanswered: nothing is known of the request. One that stands in the queue goes on waiting, and the next heartbeat asks
// again; a new one fails.
func (cl *client) unanswered(q *request, err error) {
	if q.spot != nil && !final(err) {
		q.cause = err
		return
	}
	cl.fail(q.op, q, err, false)
}

// forget takes the request out of the books.
func (cl *client) forget(q *request) {
	q.over = true
	delete(cl.waiting, q.id.Seq)
	if q.spot != nil {
		q.place.waiting.Remove(q.spot)
		q.spot = nil
	} else {
		q.place.asked--
	}
	cl.tidy(q.place)
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
