package redis

import "time"

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
	patience := time.NewTimer(cancelPatience)
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
	if q.given {
		return
	}
	q.given = true
	d.recall(q)
	how := "cancel"
	switch {
	case d.drop(q.id.Seq) != nil: // it holds
	case q.over: // it failed, or the client is closed
		close(q.gone)
		return
	default:
		if q.asking { // and the command may yet arrive, after the one that gives up
			how = "forbid"
		}
		d.forget(q)
	}
	q.back = d.b.giveBackOf(q, how)
	q.back.gone = q.gone
	d.giveBack(q.back)
}

func (m giveUp) fail(error) {
	if !m.given {
		m.given = true
		close(m.gone)
	}
}
