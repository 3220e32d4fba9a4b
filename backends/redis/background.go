package redis

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

const (
	backgroundTime  = 2 * time.Second        // bounds one attempt to give back
	backgroundPause = 100 * time.Millisecond // before the second attempt; then twice, …
	backgroundRest  = time.Second            // … up to this
	backgroundBatch = 256                    // in one round trip
	backgroundMost  = 1 << 14                // bounds the places in queues among the repetitions
)

// ending is a grant or a place in the queue on its way back to the server. No caller waits for
// it, so it is sent in batches, and repeated at least once a second until the server confirms it or
// has freed it by itself. Only Close waits for it, within its context.
type ending struct {
	call   call
	until  time.Time // when the server has freed it by itself
	held   bool      // it was a grant that a caller had
	then   func()    // nil, or called when it was given back or attempts have ended, in the client's turn
	failed bool      // attempts have ended
	moot   bool      // there was nothing to give back
}

// endings is all that the client has to give back. Repetitions have an outbox of their own, so that a
// node that is out of reach does not delay first attempts at other nodes.
type endings struct {
	fresh, again outbox
	failed       []*ending // to be sent again after the pause
	pause        time.Duration
	timer        *actor.Timer
	noRetry      bool // the context of Close has ended
}

// outbox is a list that is sent in batches, one batch at a time.
type outbox struct {
	list    []*ending
	sending bool
}

func (o *outbox) empty() bool { return !o.sending && len(o.list) == 0 }

func (r *endings) empty() bool { return r.fresh.empty() && r.again.empty() && len(r.failed) == 0 }

// backgroundOf makes one for a request; how is endAny or endForGood.
func (b *Backend) backgroundOf(q *request, how string) *ending {
	return &ending{call: b.endCall(q.Name, idText(how, q.id)), until: time.Now().Add(b.life(max(q.TTL, q.AtLeast)))}
}

// life bounds how long the server keeps a grant from now on.
func (b *Backend) life(ttl time.Duration) time.Duration { return ttl + b.opt.grace }

func (b *Backend) endCall(name string, ends ...string) call {
	at := b.address(name)
	k := call{keys: at.keys, args: append(b.header(1+len(ends)), at.text)}
	for _, e := range ends {
		k.args = append(k.args, e)
	}
	return k
}

func (g *ending) again() *ending { return &ending{call: g.call, until: g.until} }

func (g *ending) end(failed bool) {
	g.failed = failed
	if g.then != nil {
		g.then()
	}
}

func (cl *client) finish(g *ending) {
	cl.endings.fresh.list = append(cl.endings.fresh.list, g)
	cl.sendEndings(&cl.endings.fresh)
}

func (cl *client) sendEndings(o *outbox) {
	if o.sending || len(o.list) == 0 || cl.shut {
		return
	}
	o.sending = true
	n := min(len(o.list), backgroundBatch)
	batch := o.list[:n:n]
	o.list = o.list[n:]
	cl.task(func() message {
		ctx, cancel := context.WithTimeout(context.Background(), backgroundTime)
		defer cancel()
		calls := make([]call, len(batch))
		for i, g := range batch {
			calls[i] = g.call
		}
		return attempted{o, batch, cl.b.evalAll(ctx, cl.b.conns.urgent, releaseScript, calls)}
	})
}

// attempted is what came of a batch.
type attempted struct {
	from    *outbox
	batch   []*ending
	results []result
}

func (m attempted) on(cl *client) {
	r := &cl.endings
	m.from.sending = false
	for i, g := range m.batch {
		switch err := cl.b.classify(m.results[i].err); {
		case err == nil:
			r.pause = 0
			g.end(false)
		case final(err) && !errors.Is(err, backends.ErrPermission), g.moot, r.noRetry, !time.Now().Before(g.until), !g.held && len(r.failed) >= backgroundMost:
			g.end(true)
		default:
			r.failed = append(r.failed, g)
		}
	}
	cl.sendEndings(m.from)
	cl.scheduleResend()
}

// scheduleResend sets the time at which failed attempts are made again.
func (cl *client) scheduleResend() {
	r := &cl.endings
	if len(r.failed) == 0 || r.timer != nil || !r.again.empty() {
		return
	}
	r.pause = min(max(2*r.pause, backgroundPause), backgroundRest)
	r.timer = cl.actor.After(r.pause, resend{})
}

// resend says that it is time for another attempt.
type resend struct{}

func (resend) on(cl *client) {
	r := &cl.endings
	r.timer = nil
	r.again.list, r.failed = r.failed, nil
	cl.sendEndings(&r.again)
}

// stopRetries says that Close has returned: attempts that fail are not made again.
type stopRetries struct{}

func (stopRetries) on(cl *client) {
	r := &cl.endings
	r.noRetry = true
	if r.timer != nil {
		r.timer.Stop()
	}
	late := append(r.failed, r.again.list...)
	r.failed, r.again.list = nil, nil
	for _, g := range late {
		g.end(true)
	}
	cl.settle()
}
