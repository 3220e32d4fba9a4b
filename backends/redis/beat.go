package redis

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

const (
	beatNames  = 256                    // names in one script call, where one call may name several
	beatIDs    = 128                    // requests of one name: those queued first
	missedTime = 500 * time.Millisecond // after which a message that should have come is taken for lost
)

// keepPulse starts the heartbeat.
func (d *desk) keepPulse() {
	if d.pulse == nil && !d.closing {
		d.pulse = d.actor.After(d.b.opt.heartbeat, tick{})
	}
}

// tick is the heartbeat.
type tick struct{}

func (tick) on(d *desk) {
	d.pulse = nil
	if d.closing || len(d.waiting) == 0 {
		return
	}
	d.keepPulse()
	for _, p := range d.names {
		if p.waiting.Len() > 0 {
			d.due[p] = true
		}
	}
	d.beat()
}

// expect has the place looked at when the next deadline has passed, if the heartbeat would be late: so the first waiter
// notices that a holder has died, of which no message tells.
func (d *desk) expect(p *place, us int64) {
	wait := time.Duration(us)*time.Microsecond + time.Millisecond
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if us >= 0 && wait < d.b.opt.heartbeat && p.waiting.Len() > 0 {
		p.timer = d.actor.After(wait, expire{p})
	}
}

// expire says that a deadline has passed.
type expire struct{ *place }

func (m expire) on(d *desk) {
	m.timer = nil
	if d.names[m.name] == m.place {
		d.due[m.place] = true
		d.beat()
	}
}

// look is one place in a beat: the ids whose state is asked for.
type look struct {
	place  *place
	waits  bool
	ids    []uint64
	queued int // so many of the ids, the first, waited when the beat was sent; the others were held
}

// beat asks the server about the places that are due, one beat at a time.
func (d *desk) beat() {
	if d.asking || len(d.due) == 0 || d.closing {
		return
	}
	d.asking = true
	looks := make([]look, 0, len(d.due))
	for p := range d.due {
		looks = append(looks, p.look())
	}
	clear(d.due)
	// The first beat after a subscription finds what was granted before it: no message of that can come.
	heard := d.inbox.subscribed && !d.inbox.fresh
	d.inbox.fresh = false
	d.task(func() message {
		sent := time.Now()
		return beaten{looks, d.b.beat(looks), sent, heard}
	})
}

func (p *place) look() look {
	l := look{place: p, waits: p.waiting.Len() > 0}
	for e := p.waiting.Front(); e != nil && len(l.ids) < beatIDs; e = e.Next() {
		l.ids = append(l.ids, e.Value.(*request).id.Seq)
	}
	l.queued = len(l.ids)
	for seq := range p.held {
		l.ids = append(l.ids, seq)
	}
	return l
}

// beat sends the looks and returns one row or error for each.
func (b *Backend) beat(looks []look) []result {
	size := 1
	if b.clients.batch {
		size = beatNames
	}
	var calls []call
	for part := range slices.Chunk(looks, size) {
		c := call{keys: make([]any, 0, 3*len(part)), args: append(b.header(64), hexID(b.id))}
		for _, l := range part {
			c.keys = append(c.keys, b.address(l.place.name).keys...)
			waits := "0"
			if l.waits {
				waits = "1"
			}
			c.args = append(c.args, l.place.name, waits, strconv.Itoa(len(l.ids)))
			for _, seq := range l.ids {
				c.args = append(c.args, strconv.FormatUint(seq, 16))
			}
		}
		calls = append(calls, c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(b.opt.heartbeat, time.Second))
	defer cancel()
	return spread(b.evalAll(ctx, b.clients.urgent, beatScript, calls), len(looks), size)
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

// beaten is the answer to a beat.
type beaten struct {
	looks   []look
	results []result
	sent    time.Time
	heard   bool // messages should have come of what it finds
}

func (m beaten) on(d *desk) {
	d.asking = false
	if d.closing {
		return
	}
	for i, l := range m.looks {
		r, err := asReply(m.results[i].val, m.results[i].err)
		if err == nil {
			err = refusal(r.int(0))
		} else {
			err = d.b.classify(err)
		}
		if err != nil {
			d.missed(l.place, err)
			continue
		}
		d.looked(l, r, newSample(m.sent, r.int(2)), m.heard)
	}
	d.beat()
}

// missed notes why the requests of a place still wait. If waiting makes no sense they ask for themselves, and fail.
func (d *desk) missed(p *place, err error) {
	for e := p.waiting.Front(); e != nil; e = e.Next() {
		q := e.Value.(*request)
		q.cause = err
		if final(err) && !q.asking {
			d.ask(q)
		}
	}
}

// looked takes in how the requests and grants of a place stand.
func (d *desk) looked(l look, r row, clock sample, heard bool) {
	broken := l.place.broken
	l.place.broken = false
	others := r.int(1) != 0
	for j, seq := range l.ids {
		code := r.int(3 + j)
		if q := d.waiting[seq]; q != nil && q.spot != nil && !q.asking {
			q.cause, q.sample = nil, clock
			if heard && code == codeGranted { // and the message has not come, or not yet
				d.suspect(seq)
			}
			if code != codeQueued {
				d.ask(q)
			}
			continue
		}
		// One that waited when the beat was sent may have been granted since, and the message have overtaken this
		// answer: then the code is of a time before the grant, and says nothing of it.
		if h := d.held[seq]; h != nil && j >= l.queued {
			switch {
			case code == codeGranted:
				h.contend(others)
			case h.leaving: // the release has overtaken the beat, and its own answer tells how it ended
			case broken:
				d.lose(h, backends.Broken)
			default:
				d.lose(h, backends.NotOwner)
			}
		}
	}
	d.expect(l.place, r.int(0))
}

// suspect gives a message that should have come some time. If it does not come, the connection that should have brought
// it is taken for dead.
func (d *desk) suspect(seq uint64) {
	if d.inbox.awaited == nil || d.inbox.awaited[seq] != nil {
		return
	}
	d.inbox.awaited[seq] = d.actor.After(missedTime, overdue{seq, d.inbox.sub})
}

// stopAll stops timers.
func stopAll(timers map[uint64]*actor.Timer) {
	for _, t := range timers {
		t.Stop()
	}
	clear(timers)
}
