package redis

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

const (
	forbidFor     = time.Minute            // how long an acquire that was given up can be on its way
	giveBackTime  = 2 * time.Second        // bounds one attempt to give back
	giveBackPause = 100 * time.Millisecond // before the second attempt; then twice, …
	giveBackRest  = time.Second            // … up to this
	giveBackBatch = 256                    // in one round trip
	giveBackMost  = 1 << 14                // bounds the places in queues among the repetitions
)

// giveBack is a grant or a place in the queue on its way back to the server. No caller waits for
// it, so it is sent in batches, and repeated at least once a second until the server confirms it or
// has freed it by itself. Only Close waits for it, within its context. A release that carries the
// next request is not cancelled with that request.
type giveBack struct {
	call   call
	until  time.Time     // when the server has freed it by itself
	held   bool          // it was a grant that a caller had
	gone   chan struct{} // nil, or closed when it was given back or attempts have ended
	then   func()        // nil, or called at that moment, in the desk's turn
	failed bool          // attempts have ended
	moot   bool          // there was nothing to give back
}

// returns is all that the desk has to give back. Repetitions have an outbox of their own, so that a
// node that is out of reach does not delay first attempts at other nodes.
type returns struct {
	fresh, again outbox
	failed       []*giveBack // to be sent again after the pause
	pause        time.Duration
	timer        *actor.Timer
	noRetry      bool // the context of Close has ended
}

// outbox is a list that is sent in batches, one batch at a time.
type outbox struct {
	list    []*giveBack
	sending bool
}

func (o *outbox) empty() bool { return !o.sending && len(o.list) == 0 }

func (r *returns) empty() bool { return r.fresh.empty() && r.again.empty() && len(r.failed) == 0 }

// giveBackOf makes one for a request; how is "cancel" or "forbid", see giveback.lua.
func (b *Backend) giveBackOf(q *request, how string) *giveBack {
	return &giveBack{call: b.giveBackCall(q.Name, q.id, how), until: time.Now().Add(b.life(q.TTL))}
}

// life bounds how long the server keeps a grant from now on.
func (b *Backend) life(ttl time.Duration) time.Duration { return ttl + b.opt.grace }

func (b *Backend) giveBackCall(name string, id backends.GrantID, how any) call {
	at := b.address(name)
	return call{keys: at.keys, args: append(b.header(4), at.text, idText(id), how, forbidMicros)}
}

var forbidMicros any = micros(forbidFor)

func (g *giveBack) again() *giveBack { return &giveBack{call: g.call, until: g.until} }

func (g *giveBack) end(failed bool) {
	g.failed = failed
	if g.gone != nil {
		close(g.gone)
	}
	if g.then != nil {
		g.then()
	}
}

func (d *desk) giveBack(g *giveBack) {
	d.returns.fresh.list = append(d.returns.fresh.list, g)
	d.sendReturns(&d.returns.fresh)
}

func (d *desk) sendReturns(o *outbox) {
	if o.sending || len(o.list) == 0 || d.shut {
		return
	}
	o.sending = true
	n := min(len(o.list), giveBackBatch)
	batch := o.list[:n:n]
	o.list = o.list[n:]
	d.task(func() message {
		ctx, cancel := context.WithTimeout(context.Background(), giveBackTime)
		defer cancel()
		calls := make([]call, len(batch))
		for i, g := range batch {
			calls[i] = g.call
		}
		return returned{o, batch, d.b.evalAll(ctx, d.b.clients.urgent, giveBackScript, calls)}
	})
}

// returned is what came of a batch.
type returned struct {
	from    *outbox
	batch   []*giveBack
	results []result
}

func (m returned) on(d *desk) {
	r := &d.returns
	m.from.sending = false
	for i, g := range m.batch {
		switch err := d.b.classify(m.results[i].err); {
		case err == nil:
			r.pause = 0
			g.end(false)
		case final(err) && !errors.Is(err, backends.ErrPermission), g.moot, r.noRetry, !time.Now().Before(g.until), !g.held && len(r.failed) >= giveBackMost:
			g.end(true)
		default:
			r.failed = append(r.failed, g)
		}
	}
	d.sendReturns(m.from)
	d.scheduleResend()
}

// scheduleResend sets the time at which failed attempts are made again.
func (d *desk) scheduleResend() {
	r := &d.returns
	if len(r.failed) == 0 || r.timer != nil || !r.again.empty() {
		return
	}
	r.pause = min(max(2*r.pause, giveBackPause), giveBackRest)
	r.timer = d.actor.After(r.pause, resend{})
}

// resend says that it is time for another attempt.
type resend struct{}

func (resend) on(d *desk) {
	r := &d.returns
	r.timer = nil
	r.again.list, r.failed = r.failed, nil
	d.sendReturns(&r.again)
}

// stopRetries says that Close has returned: attempts that fail are not made again.
type stopRetries struct{}

func (stopRetries) on(d *desk) {
	r := &d.returns
	r.noRetry = true
	if r.timer != nil {
		r.timer.Stop()
	}
	late := append(r.failed, r.again.list...)
	r.failed, r.again.list = nil, nil
	for _, g := range late {
		g.end(true)
	}
	d.settle()
}
