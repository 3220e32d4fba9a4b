package redis

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

const (
	forbidFor     = time.Minute            // how long an acquire that was given up can be on its way
	giveBackTime  = 2 * time.Second        // bounds one attempt to give back
	giveBackTries = 3                      // then the server frees it by itself
	giveBackPause = 100 * time.Millisecond // before the second attempt; then twice, …
	giveBackBatch = 256                    // in one round trip
)

// giveBack is something to be given back to the server: a grant or a place in the queue that nobody wants any more. Its
// caller does not wait for it, so it is sent in batches, one at a time.
type giveBack struct {
	call   call
	gone   chan struct{} // nil, or closed when it was given back or attempts have ended
	then   func()        // nil, or called then, in the desk's turn
	tries  int
	failed bool // attempts have ended
}

// giveBackOf makes one for a request; how is "cancel" or "forbid", see giveback.lua.
func (b *Backend) giveBackOf(q *request, how string) *giveBack {
	return &giveBack{call: b.giveBackCall(q.Name, q.id, how)}
}

func (b *Backend) giveBackCall(name string, id backends.GrantID, how any) call {
	at := b.address(name)
	return call{keys: at.keys, args: append(b.header(4), at.text, idText(id), how, forbidMicros)}
}

var forbidMicros any = micros(forbidFor)

func (g *giveBack) again() *giveBack { return &giveBack{call: g.call} }

func (g *giveBack) end(failed bool) {
	g.failed = failed
	if g.gone != nil {
		close(g.gone)
	}
	if g.then != nil {
		g.then()
	}
}

func (d *desk) giveBack(gs ...*giveBack) {
	d.returns = append(d.returns, gs...)
	d.sendReturns()
}

func (d *desk) sendReturns() {
	if d.returning || len(d.returns) == 0 || d.shut {
		return
	}
	d.returning = true
	n := min(len(d.returns), giveBackBatch)
	batch := d.returns[:n:n]
	d.returns = d.returns[n:]
	d.task(func() message {
		ctx, cancel := context.WithTimeout(context.Background(), giveBackTime)
		defer cancel()
		calls := make([]call, len(batch))
		for i, g := range batch {
			calls[i] = g.call
		}
		return returned{batch, evalAll(ctx, d.b.clients.urgent, giveBackScript, calls)}
	})
}

// returned is what came of a batch.
type returned struct {
	batch   []*giveBack
	results []result
}

func (m returned) on(d *desk) {
	d.returning = false
	for i, g := range m.batch {
		g.tries++
		switch err := d.b.classify(m.results[i].err); {
		case err == nil:
			g.end(false)
		case final(err) || d.closing || g.tries == giveBackTries:
			g.end(true)
		default:
			d.actor.After(giveBackPause<<(g.tries-1), retry{g})
		}
	}
	d.sendReturns()
}

// retry says that it is time for another attempt.
type retry struct{ *giveBack }

func (m retry) on(d *desk) {
	if d.closing {
		m.end(true)
		return
	}
	d.giveBack(m.giveBack)
}
