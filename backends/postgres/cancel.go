package postgres

import (
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// cancelPatience is how long a cancelled request waits for the server to confirm that nothing is
// left of it. A server that answers takes a round trip; one that does not must not hold up the
// caller.
const cancelPatience = 50 * time.Millisecond

// answerPatience is how long a cancel waits for the answer to the statement that it takes back, before
// it overtakes that. The statement has a connection. To overtake it takes another one, which the pool
// may have to open, and then a row that forbids it: on a busy machine that takes far longer than the
// answer, and the name has to wait for it.
const answerPatience = cancelPatience / 2

// cancelOp says that an operation's requests are cancelled, or that its work has ended before it was
// answered: then its releases go on in the background, too.
type cancelOp struct {
	*operation
	cause error
	ended bool
}

func (m cancelOp) on(cl *client) {
	o := m.operation
	if m.ended {
		o.phase.CompareAndSwap(fresh, void)
		for i := range o.releases {
			if !o.releases[i].told {
				cl.conclude(o, i, fmt.Errorf("%w: %w", backends.ErrUnavailable, m.cause))
			}
		}
	} else {
		o.revoke()
	}
	cl.fail(o, nil, m.cause, true)
}

// revoke keeps a statement from being sent that is not sent yet, if there are only requests. Else
// they are cancelled by a statement that may overtake the first one.
func (o *operation) revoke() {
	if len(o.releases) == 0 {
		o.phase.CompareAndSwap(fresh, void)
	}
}

// fail ends the requests of an operation that are not granted, because of culprit, if it is not nil.
// With confirm, the caller is told when the server has confirmed that nothing is left of them, or
// patience is at its end.
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
			cl.tell(q, backends.Grant{}, err)
		} else {
			q.back.then = func() { cl.tell(q, backends.Grant{}, q.blame(err)) }
		}
		switch {
		case q.back == nil:
		case q.asking && !cl.closing:
			cl.follow(q)
		default:
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
	cl.forget(q)
	if q.op.phase.Load() == void {
		q.asking = false // and never was
	}
	if q.asking || q.copied || q.queued {
		// A statement that may yet arrive, after the one that cancels it, is to have no effect.
		return &ending{
			name: q.Name, id: q.id, forbid: q.asking || q.copied, free: true, until: time.Now().Add(longest(q.Request)),
		}
	}
	return nil
}

// follow has the cancel of a request wait for the answer to its statement, for a while.
func (cl *client) follow(q *request) {
	cl.endings.following[q] = cl.actor.After(cl.b.answerPatience, overtake{q})
}

// overtake says that the cancel of a request waits no longer.
type overtake struct{ *request }

func (m overtake) on(cl *client) { cl.unfollow(m.request) }

// unfollow sends the cancel of a request, if it has waited until now.
func (cl *client) unfollow(q *request) {
	if t := cl.endings.following[q]; t != nil {
		t.Stop()
		delete(cl.endings.following, q)
		cl.finish(q.back)
	}
}

// mend takes in an answer to a request that has failed. If its cancel has waited for that, only
// another copy of the statement is to be forbidden. Where its cancellation could not be confirmed,
// it is cancelled once more: the statement may have taken effect after all.
func (cl *client) mend(q *request) {
	if cl.endings.following[q] != nil {
		q.back.forbid = q.copied
		cl.unfollow(q)
		return
	}
	if q.back != nil && q.back.failed {
		again := *q.back
		again.failed, again.then = false, nil
		q.back = &again
		cl.finish(q.back)
	}
}

// outOfPatience says that the server has not confirmed what was cancelled.
type outOfPatience struct{ *operation }

func (m outOfPatience) on(cl *client) {
	for i := range m.requests {
		cl.tell(&m.requests[i], backends.Grant{}, m.requests[i].blame(m.cause))
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
