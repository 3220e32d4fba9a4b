package redis

import (
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// cancelPatience is how long a cancelled request waits for the server to confirm that nothing is
// left of it. A server that answers takes a round trip; one that does not must not hold up the
// caller.
const cancelPatience = 50 * time.Millisecond

// cancelOp says that an operation's requests are cancelled, or that the context of its work has
// ended: then its releases go on in the background, too.
type cancelOp struct {
	*operation
	cause error
	ended bool
}

func (m cancelOp) on(cl *client) {
	o := m.operation
	if m.ended {
		for i := range o.releases {
			cl.conclude(o, i, fmt.Errorf("%w: %w", backends.ErrUnavailable, m.cause))
		}
	} else {
		o.revoke()
	}
	cl.fail(o, nil, m.cause, true)
}

// revoke keeps the work from sending anything, if it has not begun to and there are only requests.
// Else they are cancelled by a command that may overtake the work's.
func (o *operation) revoke() {
	if len(o.releases) == 0 {
		o.phase.CompareAndSwap(fresh, void)
	}
}

// fail ends the requests of an operation that are not granted, and those of a try that are, because
// of culprit, if it is not nil. With confirm, the caller is told when the server has confirmed that
// nothing is left of them, or patience is at its end.
func (cl *client) fail(o *operation, culprit *request, err error, confirm bool) {
	if o.cause != nil || o.open == 0 {
		return
	}
	if culprit != nil {
		err = culprit.wrap(err)
	}
	o.cause = err
	for i := range o.requests {
		q := &o.requests[i]
		if q.told {
			continue
		}
		q.back = cl.cancelOne(q)
		if q.back == nil || !confirm {
			cl.answer(q, backends.Grant{}, err)
		} else {
			q.back.then = func() { cl.answer(q, backends.Grant{}, q.blame(err)) }
		}
		if q.back != nil {
			cl.finish(q.back)
		}
	}
	if o.open > 0 {
		o.patience = cl.actor.After(cl.b.patience, outOfPatience{o})
	}
}

// cancelOne takes a request out of the books, and returns what releases or cancels whatever it has
// or may still get; nil if that is nothing.
func (cl *client) cancelOne(q *request) *ending {
	queued := q.spot != nil
	if !q.over {
		cl.forget(q)
	}
	if q.op.phase.Load() == void {
		q.asking = false // and never was
	}
	switch held := cl.drop(q.id.Seq) != nil; {
	case q.asking || q.copied: // a command may yet arrive, after the one that cancels it
		return cl.b.backgroundOf(q, endForGood)
	case queued || held:
		return cl.b.backgroundOf(q, endAny)
	}
	return nil
}

// outOfPatience says that the server has not confirmed what was cancelled.
type outOfPatience struct{ *operation }

func (m outOfPatience) on(cl *client) {
	for i := range m.requests {
		cl.answer(&m.requests[i], backends.Grant{}, m.requests[i].blame(m.cause))
	}
}

// blame adds why the request still waited to the error of its cancellation, if that was the
// server's fault.
func (q *request) blame(err error) error {
	if q.cause != nil {
		return fmt.Errorf("%w: %w", err, q.cause)
	}
	return err
}
