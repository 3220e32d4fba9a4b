package redis

import (
	"context"
	"fmt"
	"time"
)

// cancelPatience is how long a cancelled Acquire waits for the server to confirm that nothing is left of it. A server
// that answers takes a round trip; one that does not must not hold up the caller.
const cancelPatience = 50 * time.Millisecond

// recall takes back a command that the caller has not begun to send.
func (d *desk) recall(q *request) {
	if d.takeBack(q.work) {
		q.asking = false
	}
}

// giveUp gives the request up, and returns when nothing is left of it or patience is at its end: then, if it was the
// server's fault that it still waited, with the reason.
func (b *Backend) giveUp(q *request) error {
	b.desk.actor.Deliver(giveUp{q})
	patience := time.NewTimer(b.patience)
	defer patience.Stop()
	select { // a tie does not matter: either way the caller has its context's error
	case <-q.gone:
		return q.cause
	case <-patience.C:
		return nil
	}
}

// giveUp says that a request's caller has gone.
type giveUp struct{ *request }

func (m giveUp) on(d *desk) {
	q := m.request
	if q.given || q.post != nil && q.over { // a post that was answered is not its caller's any more
		return
	}
	q.given = true
	if q.post != nil && q.place == nil { // it was not sent
		q.fail(context.Canceled)
		return
	}
	d.recall(q)
	how := "cancel"
	if q.asking || q.copied { // and a command may yet arrive, after the one that gives up
		how = "forbid"
	}
	switch {
	case d.drop(q.id.Seq) != nil: // it holds
	case q.over: // it failed, or the client is closed
		close(q.gone)
		return
	case q.spot == nil && !q.asking && !q.copied: // it was not sent
		d.forget(q)
		if q.post == nil {
			close(q.gone)
		} else {
			q.post.conclude(q, outcome{err: q.canceled()})
		}
		return
	default:
		d.forget(q)
	}
	q.back = d.b.giveBackOf(q, how)
	q.back.gone = q.gone
	if q.post != nil {
		q.back.then = func() { q.post.conclude(q, outcome{err: q.canceled()}) }
		q.post.patience = d.actor.After(d.b.patience, outOfPatience{q})
	}
	d.giveBack(q.back)
}

// canceled is what a post is told that was given up: if it was the server's fault that it still waited, with the reason.
func (q *request) canceled() error {
	if q.cause != nil {
		return fmt.Errorf("%w: %w", context.Canceled, q.cause)
	}
	return context.Canceled
}

// outOfPatience says that a post was given up and the server has not confirmed it.
type outOfPatience struct{ *request }

func (m outOfPatience) on(*desk) { m.post.conclude(m.request, outcome{err: m.canceled()}) }

func (m giveUp) fail(error) {
	if !m.given {
		m.given = true
		if m.gone != nil {
			close(m.gone)
		}
	}
}
