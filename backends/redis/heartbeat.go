package redis

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/serverclock"
)

const (
	lookNames      = 256                    // names in one script call, where one call may name several
	lookMost       = 16 * lookNames         // names in one round trip
	lookIDs        = 128                    // requests of one name: those queued first
	lookHeartbeats = 8                      // every so many heartbeats a place is looked at in full
	missedTime     = 500 * time.Millisecond // after which a message that should have come is taken for lost
)

// nameTime bounds the heartbeat's share of the server: in each such span a client looks at one name
// at most. Where nothing has changed that costs the server less than a tenth of it, see look.lua.
const nameTime = 200 * time.Microsecond

// aliveHeartbeats is for how many heartbeats a client counts as alive. It says that it is alive when three
// eighths of that have passed, so every second heartbeat writes, and one that fails does no harm.
const aliveHeartbeats = 4

// slowest bounds the period of a client whose server is slow.
const slowest = 30 * time.Second

// pace is how often a heartbeat comes.
type pace struct {
	period time.Duration
	least  time.Duration // between two looks at a name
	// for how long the client counts as alive after a look, as scripts take it; ops say before that
	// whether they wait
	alive, wait, try any
}

func newPace(period, least time.Duration) *pace {
	alive := micros(aliveHeartbeats * period)
	return &pace{period, least, alive, "wait " + alive, "try " + alive}
}

// setPace fits the pace to the number of names, and to a server that is too slow to answer for all of
// them in a period. The period at most doubles from one heartbeat to the next, so a client that queues
// at the old pace, after this heartbeat, still counts as alive at the next one.
func (cl *client) setPace(names int, late bool) {
	old, least := cl.b.pace.Load(), time.Duration(names)*nameTime
	period := min(max(cl.b.opt.heartbeat, least, old.period/2), 2*old.period)
	if late {
		period = min(2*old.period, max(slowest, least, old.period))
	}
	if period != old.period || least != old.least {
		cl.b.pace.Store(newPace(period, least))
	}
}

// keepHeartbeat starts the heartbeat.
func (cl *client) keepHeartbeat() {
	if cl.heartbeat == nil && !cl.closing {
		cl.heartbeat = cl.actor.After(cl.b.pace.Load().period, tick{})
	}
}

// tick is the heartbeat.
type tick struct{}

func (tick) on(cl *client) {
	cl.heartbeat = nil
	if cl.closing || len(cl.waiting) == 0 {
		return
	}
	waits, late := 0, len(cl.due) > 0
	for _, p := range cl.names {
		if p.waiting.Len() > 0 {
			cl.due[p] = true
			waits++
		}
	}
	cl.setPace(waits, late)
	cl.keepHeartbeat()
	cl.lookAtDue()
}

// expect has the place looked at when the next deadline has passed, if the heartbeat would be late: so the first waiter
// notices that a holder has died, of which no message tells. It keeps to the pace, too.
func (cl *client) expect(p *place, us int64) {
	pace := cl.b.pace.Load()
	wait := time.Duration(us)*time.Microsecond + time.Millisecond
	p.expires = time.Now().Add(wait)
	wait = max(wait, pace.least)
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if us >= 0 && wait < pace.period && p.waiting.Len() > 0 {
		p.timer = cl.actor.After(wait, expire{p})
	}
}

// expire says that a deadline has passed.
type expire struct{ *place }

func (m expire) on(cl *client) {
	m.timer = nil
	if cl.names[m.name] == m.place {
		cl.due[m.place] = true
		cl.lookAtDue()
	}
}

// look is one place in a look: the ids whose state is asked for.
type look struct {
	place  *place
	waits  string // see heartbeat.lua
	ids    []uint64
	queued int // so many of the ids, the first, waited when the look was sent; the others were held
}

// lookAtDue asks the server about the places that are due, a part at a time.
func (cl *client) lookAtDue() {
	if cl.asking || len(cl.due) == 0 || cl.closing {
		return
	}
	cl.asking = true
	looks := make([]look, 0, min(len(cl.due), lookMost))
	for p := range cl.due {
		if len(looks) == lookMost {
			break
		}
		looks = append(looks, p.look())
		delete(cl.due, p)
	}
	// The first heartbeat after a subscription finds what was granted before it: no message of that can come.
	heard := cl.inbox.subscribed && !cl.inbox.fresh
	if len(cl.due) == 0 {
		cl.inbox.fresh = false
	}
	cl.task(func() message {
		sent := time.Now()
		return looked{looks, cl.b.look(looks), sent, heard}
	})
}

func (p *place) look() look {
	l := look{place: p, waits: "0"}
	switch p.looks++; {
	case p.waiting.Len() == 0:
	case len(p.held) > 0 || p.looks%lookHeartbeats == 0 || !time.Now().Before(p.expires):
		l.waits = "1"
	default:
		l.waits = "2"
	}
	for e := p.waiting.Front(); e != nil && len(l.ids) < lookIDs; e = e.Next() {
		l.ids = append(l.ids, e.Value.(*request).id.Seq)
	}
	l.queued = len(l.ids)
	for seq := range p.held {
		l.ids = append(l.ids, seq)
	}
	return l
}

// look sends the looks and returns one row or error for each.
func (b *Backend) look(looks []look) []result {
	size := 1
	if b.conns.batch {
		size = lookNames
	}
	var calls []call
	for part := range slices.Chunk(looks, size) {
		c := call{keys: make([]any, 0, 3*len(part)), args: append(b.header(64), hexID(b.id))}
		for _, l := range part {
			c.keys = append(c.keys, b.address(l.place.name).keys...)
			c.args = append(c.args, l.place.name, l.waits, strconv.Itoa(len(l.ids)))
			for _, seq := range l.ids {
				c.args = append(c.args, strconv.FormatUint(seq, 16))
			}
		}
		calls = append(calls, c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(b.opt.heartbeat, time.Second))
	defer cancel()
	return spread(b.evalAll(ctx, b.conns.urgent, heartbeatScript, calls), len(looks), size)
}

// spread turns answers to calls with up to size names each into n answers to names.
func spread(answers []result, n, size int) []result {
	results := make([]result, n)
	for i := range results {
		a := answers[i/size]
		rows, ok := a.val.([]any)
		switch {
		case a.err != nil:
			results[i].err = a.err
		case !ok || i%size >= len(rows):
			results[i].err = errReply
		default:
			results[i].val = rows[i%size]
		}
	}
	return results
}

// looked is the answer to a look.
type looked struct {
	looks   []look
	results []result
	sent    time.Time
	heard   bool // messages should have come of what it finds
}

func (m looked) on(cl *client) {
	cl.asking = false
	if cl.closing {
		return
	}
	for i, l := range m.looks {
		r, err := asReply(m.results[i].val, m.results[i].err)
		if err != nil {
			cl.missed(l.place, cl.b.classify(err))
			continue
		}
		if len(r) == 1 {
			cl.unchanged(l, serverclock.New(m.sent, r.int(0)))
		} else {
			cl.takeIn(l, r, serverclock.New(m.sent, r.int(2)), m.heard)
		}
	}
	cl.lookAtDue()
}

// missed notes why the requests of a place still wait. If waiting makes no sense they ask for themselves, and fail.
func (cl *client) missed(p *place, err error) {
	for e := p.waiting.Front(); e != nil; e = e.Next() {
		q := e.Value.(*request)
		q.cause = err
		if final(err) && !q.asking {
			cl.ask(q)
		}
	}
}

// unchanged notes that the requests of a place are still in the queue.
func (cl *client) unchanged(l look, clock serverclock.Sample) {
	for _, seq := range l.ids {
		if q := cl.waiting[seq]; q != nil && q.spot != nil && !q.asking {
			q.cause, q.sample = nil, clock
		}
	}
	cl.expect(l.place, max(0, time.Until(l.place.expires).Microseconds()-1000))
}

// takeIn takes in how the requests and grants of a place stand.
func (cl *client) takeIn(l look, r row, clock serverclock.Sample, heard bool) {
	broken := l.place.broken
	l.place.broken = false
	others := r.int(1) != 0
	for j, seq := range l.ids {
		code := r.int(3 + j)
		if q := cl.waiting[seq]; q != nil && q.spot != nil && !q.asking {
			q.cause, q.sample = nil, clock
			if heard && code == codeGranted { // and the message has not come, or not yet
				cl.suspect(seq)
			}
			if code != codeQueued {
				cl.ask(q)
			}
			continue
		}
		// One that waited when the look was sent may have been granted since, and the message have overtaken this
		// answer: then the code is of a time before the grant, and says nothing of it.
		if h := cl.held[seq]; h != nil && j >= l.queued {
			switch {
			case code == codeGranted, code == codeTried:
				if h.contend(others); code == codeTried && !h.told {
					h.tried()
				}
			case h.leaving: // the release has overtaken the look, and its own answer tells how it ended
			case broken:
				cl.lose(h, backends.Broken)
			default:
				cl.lose(h, backends.NotOwner)
			}
		}
	}
	cl.expect(l.place, r.int(0))
}

// suspect gives a message that should have come some time. If it does not come, the connection that should have brought
// it is taken for dead.
func (cl *client) suspect(seq uint64) {
	if cl.inbox.awaited == nil || cl.inbox.awaited[seq] != nil {
		return
	}
	cl.inbox.awaited[seq] = cl.actor.After(missedTime, overdue{seq, cl.inbox.sub})
}

// stopAll stops timers.
func stopAll(timers map[uint64]*actor.Timer) {
	for _, t := range timers {
		t.Stop()
	}
	clear(timers)
}
