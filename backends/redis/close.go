package redis

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Close ends the client: waiting requests fail with [backends.ErrClosed], grants are given back, the connections that the
// backend opened are closed, and nothing of it runs when Close returns. The client given to New stays open.
//
// Close repeats a release that the server does not confirm until ctx ends or the grant has expired.
// When ctx ends first, Close returns its error; closing goes on for two seconds at most, and grants
// and waiters that are left end by themselves, with their time to live or their heartbeat.
func (b *Backend) Close(ctx context.Context) error {
	b.made()
	if err := backends.CheckContext(ctx); err != nil {
		return wrap("close", "", err)
	}
	b.desk.actor.Deliver(closeAll{})
	select {
	case <-b.desk.closed:
		return nil
	default:
	}
	select { // a tie does not matter: both are true
	case <-b.desk.closed:
		return nil
	case <-ctx.Done():
		b.desk.actor.Deliver(stopRetries{})
		return wrap("close", "", ended(ctx))
	}
}

// closeAll begins the end.
type closeAll struct{}

func (closeAll) on(d *desk) {
	if d.closing {
		return
	}
	d.closing = true
	for _, q := range d.waiting {
		how := "cancel"
		if d.recall(q); q.asking || q.copied {
			how = "forbid"
		}
		d.returns.fresh.list = append(d.returns.fresh.list, d.b.giveBackOf(q, how))
		d.forget(q)
		q.conclude(outcome{err: backends.ErrClosed})
	}
	for seq, h := range d.held {
		if h.back == nil { // else a release is on its way already
			how := "release"
			if h.copied {
				how = "forbid"
			}
			back := &giveBack{call: d.b.giveBackCall(h.place.name, h.id, how), until: h.till, held: true}
			d.returns.fresh.list = append(d.returns.fresh.list, back)
		}
		d.drop(seq)
	}
	stopAll(d.unsure)
	d.deafen()
	d.sendReturns(&d.returns.fresh)
	d.settle()
}

// settle closes the connections when all was given back, which ends the I/O that is still going on, and then reports that
// the client is closed.
func (d *desk) settle() {
	if !d.closing || !d.shut && !d.returns.empty() {
		return
	}
	if !d.shut {
		d.shut = true
		d.b.closing.Store(true)
		d.task(func() message {
			d.b.clients.close()
			return nil
		})
		return
	}
	if d.io == 0 {
		d.end()
	}
}

func (d *desk) end() {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
}
