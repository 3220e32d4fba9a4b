package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
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
	brief time.Duration // how long a grant is valid at first that a message tells of; 0: it is asked for
	keep  time.Duration // how long the server keeps it

	queued   bool                 // it stands in the queue, as far as is known
	asking   bool                 // a statement for it is on its way, or may be
	copied   bool                 // a copy of a statement for it may be on its way as well
	wakeUp   *wakeUp              // that has come meanwhile
	news     []backends.EventType // that have come before the grant
	sample   serverclock.Sample   // of the server's clock, the latest
	queuedAt int64                // on that clock: when it was put into the queue, as far as is known
	cause    error                // why it still waits, if the server could not be asked
	pause    time.Duration        // before it was sent again, the last time
	over     bool                 // it is granted, or has failed
	told     bool                 // its answer was told
	back     *ending              // what takes it back, after it has failed
}

// What op answers to a request; see migrations.
const (
	codeMismatch = -1
	codeBusy     = 0
	codeGranted  = 1
	codeQueued   = 2
	codeGivenUp  = 3
	codeIdle     = 4
	codePaused   = 5
)

// answered takes in what the server said of a request. It returns why the request cannot be.
func (cl *client) answered(q *request, clock serverclock.Sample, row []int64) error {
	if q.over {
		cl.mend(q)
		return nil
	}
	switch row[0] {
	case codeGranted:
		if row[1] <= 0 {
			q.copied = true // what it is a grant of, nobody knows
			return fmt.Errorf("%w: %w: token %d", backends.ErrUnavailable, errReply, row[1])
		}
		cl.granted(q, clock, row)
	case codeQueued:
		return cl.queue(q, clock, row[1] == 1, row[2])
	case codeIdle: // because of another request, which says why
	case codeBusy:
		return backends.ErrBusy
	case codePaused:
		return errPaused
	case codeGivenUp:
		return errLate
	case codeMismatch:
		have := backends.Resource{Name: q.Name, Kind: backends.Kind(row[1]), Capacity: row[2]}
		return &backends.MismatchError{Have: have, Want: q.Resource}
	default:
		return fmt.Errorf("%w: %w: code %d", backends.ErrUnavailable, errReply, row[0])
	}
	return nil
}

func (cl *client) granted(q *request, clock serverclock.Sample, row []int64) {
	valid := backends.ValidUntil(clock.Sent, q.TTL)
	if time.Until(valid) <= q.MinValid { // too late to be of use, but the next answer may be sooner
		q.copied = true // if that fails, what the first one got is released
		cl.again(q)
		return
	}
	cl.grant(q, backends.Grant{Token: uint64(row[1]), ValidUntil: valid, Contended: row[2] != 0})
}

// again sends the request once more. It has the same effect once or many times.
func (cl *client) again(q *request) {
	q.asking = true
	cl.send(&exchange{operation: q.op, requests: []*request{q}})
}

// grant answers the request with a grant, and then tells what has come before it.
func (cl *client) grant(q *request, g backends.Grant) {
	g.ID, g.Resource, g.Weight, g.Tokens = q.id, q.Resource, q.Weight, q.Tokens
	g.AtLeast, g.Waited = q.AtLeast, q.queued
	cl.hold(q, g)
	cl.forget(q)
	cl.tell(q, g, nil)
	for _, t := range q.news {
		cl.event(g.ID.Seq, t)
	}
}

// tell answers the caller, once.
func (cl *client) tell(q *request, g backends.Grant, err error) {
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
	var wrapped *backends.OpError
	if err == nil || errors.As(err, &wrapped) {
		return err
	}
	if q.op.wait {
		return wrap("acquire", q.Name, err)
	}
	return wrap("try to acquire", q.Name, err)
}

// queue notes that the request stands in the queue. From now on the heartbeat speaks for it, and the
// inbox hears when it is granted.
func (cl *client) queue(q *request, clock serverclock.Sample, isNew bool, due int64) error {
	was := q.queued
	q.cause, q.sample, q.queued = nil, clock, true
	if isNew {
		q.queuedAt = clock.Server
	}
	if was && isNew {
		if len(q.op.requests) > 1 { // its places would not be in one order with those of others
			return fmt.Errorf("%w: %w", backends.ErrUnavailable, backends.ErrRequeued)
		}
		if q.Notify != nil {
			q.Notify(backends.Event{Grant: q.id, Type: backends.Requeued})
		}
	}
	cl.listen()
	cl.keepHeartbeat(until(clock, due))
	if n := q.wakeUp; n != nil {
		q.wakeUp = nil
		cl.woken(q, *n)
	}
	return nil
}

// forget takes the request out of the books.
func (cl *client) forget(q *request) {
	q.over = true
	delete(cl.waiting, q.id.Seq)
	cl.tidy()
}

// ownerJSON is an owner as the table has it. Bytes, so that any host and label come back.
type ownerJSON struct {
	Host  []byte `json:"h"`
	PID   int    `json:"p"`
	Label []byte `json:"l"`
}

func ownerText(o backends.Owner) []byte {
	text, _ := json.Marshal(ownerJSON{[]byte(o.Host), o.PID, []byte(o.Label)}) // cannot fail
	return text
}

// parseOwner returns the zero owner for what cannot be read: it plays no part in exclusion.
func parseOwner(text []byte) backends.Owner {
	var o ownerJSON
	if json.Unmarshal(text, &o) != nil {
		return backends.Owner{}
	}
	return backends.Owner{Host: string(o.Host), PID: o.PID, Label: string(o.Label)}
}
