package postgres

import (
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/serverclock"
)

const (
	heartbeatTime = 5 * time.Second        // bounds a heartbeat's statement
	missedTime    = 500 * time.Millisecond // after which a message that should have come is taken for lost
)

// A heartbeat reads each request that waits. These bound its share of the server: between two of
// them there is nameTime for each request, and no less than leastPause.
const (
	nameTime   = 200 * time.Microsecond
	leastPause = 10 * time.Millisecond
)

// stopper is a timer, or none.
type stopper struct{ timer *actor.Timer }

func (s *stopper) stop() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// heartbeat tells the server that the client is alive, and asks how its requests stand.
type heartbeat struct {
	stopper
	at   time.Time // when the timer fires
	sent time.Time // when the last one was sent
	busy bool      // one is on its way
	next time.Time // when another one was wanted while one was on its way; zero: a period after it
}

func (h *heartbeat) cease() { h.stop() }

// keepHeartbeat has the next heartbeat come in a period at the latest, or in d, if that is not
// negative: then the next grant may be overdue, of which no message tells, or messages may have been
// lost. While one is on its way, which may have looked before, that waits for its answer.
func (cl *client) keepHeartbeat(d time.Duration) {
	h := &cl.heartbeat
	switch at := time.Now().Add(d); {
	case cl.closing:
		return
	case h.busy:
		if d >= 0 && (h.next.IsZero() || at.Before(h.next)) {
			h.next = at
		}
		return
	}
	wait := cl.b.opt.heartbeat
	if d >= 0 {
		wait = min(wait, d+time.Millisecond)
	}
	now := time.Now()
	pause := max(leastPause, time.Duration(len(cl.waiting))*nameTime)
	at := now.Add(max(wait, pause-now.Sub(h.sent)))
	if h.timer == nil || at.Before(h.at) {
		h.stop()
		h.at = at
		h.timer = cl.actor.After(at.Sub(now), heartbeatDue{})
	}
}

type heartbeatDue struct{}

func (heartbeatDue) on(cl *client) {
	h := &cl.heartbeat
	h.timer = nil
	if cl.closing || h.busy {
		return
	}
	var ids []int64
	for seq, q := range cl.waiting {
		if q.queued {
			ids = append(ids, int64(seq))
		}
	}
	if len(ids) == 0 {
		return
	}
	h.busy, h.sent = true, time.Now()
	heard := cl.inbox.subscribed
	cl.task(func() message {
		a := cl.b.ask(heartbeatTime, nil, cl.b.call.heartbeat, int64(cl.b.id), cl.b.alive(), ids)
		return looked{ids, a, heard}
	})
}

// looked is the answer to a heartbeat.
type looked struct {
	ids []int64
	answer
	heard bool // messages should have come of what it finds
}

func (m looked) on(cl *client) {
	h := &cl.heartbeat
	wanted := h.next
	h.busy, h.next = false, time.Time{}
	if cl.closing {
		return
	}
	const head, each = 2, 4
	if m.err == nil && (len(m.numbers) < head || (len(m.numbers)-head)%each != 0) {
		m.err = cl.b.classify(errReply)
	}
	var clock serverclock.Sample
	if m.err == nil {
		clock = serverclock.New(m.sent, m.numbers[0])
	}
	for _, id := range m.ids {
		q := cl.waiting[uint64(id)]
		switch {
		case q == nil || q.asking:
		case m.err == nil:
			q.cause, q.sample = nil, clock
		case final(m.err):
			cl.fail(q.op, q, m.err, false)
		default:
			q.cause = m.err
		}
	}
	next := time.Duration(-1)
	if m.err == nil {
		next = until(clock, m.numbers[1])
		for row := m.numbers[head:]; len(row) > 0; row = row[each:] {
			cl.found(uint64(row[0]), wakeUp{uint64(max(0, row[1])), row[2], row[3] != 0}, m.heard)
		}
	}
	if !wanted.IsZero() {
		if d := max(0, time.Until(wanted)); next < 0 || d < next {
			next = d
		}
	}
	if len(cl.waiting) > 0 {
		cl.keepHeartbeat(next)
	}
}

// found takes in that a request does not wait any more: it was granted, or is unknown.
func (cl *client) found(seq uint64, n wakeUp, heard bool) {
	q := cl.waiting[seq]
	switch {
	case q == nil || q.asking:
	case n.token == 0:
		cl.again(q)
	default:
		if heard { // and the message has not come, or not yet
			cl.suspect(seq)
		}
		cl.woken(q, n)
	}
}

// look has the heartbeat ask about what waits, and asks about what is held, after messages may have
// been lost.
func (cl *client) look() {
	if len(cl.waiting) > 0 {
		cl.keepHeartbeat(0)
	}
	cl.lookAtHeld()
}

// lookAtHeld asks how all that is held stands.
func (cl *client) lookAtHeld() {
	var rs []backends.Renewal
	for seq, h := range cl.held {
		if !h.leaving {
			rs = append(rs, backends.Renewal{Grant: backends.Grant{
				ID: backends.GrantID{Client: cl.b.id, Seq: seq}, Resource: backends.Resource{Name: h.name}}})
		}
	}
	if len(rs) == 0 {
		return
	}
	cl.task(func() message {
		out := make(checked, len(rs))
		copy(out, cl.b.renewAll(heartbeatTime, rs, func(backends.Renewal) time.Duration { return 0 }))
		return out
	})
}

// checked says how grants stand.
type checked []renewed

func (m checked) on(cl *client) {
	for _, r := range m {
		h := cl.heldBy(r.id)
		switch {
		case h == nil || h.leaving || cl.closing:
		case r.code == renewedOK:
			h.contend(r.others)
		case r.code == renewedEnded:
			cl.lose(h, backends.NotOwner)
		}
	}
}
