package redis

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Close ends the client: waiting requests fail with [backends.ErrClosed], grants are given back, the connections that the
// backend opened are closed, and nothing of it runs when Close returns. The client given to New stays open.
//
// A server that does not answer is given two seconds; what could not be given back ends by itself, when its time to live or
// its heartbeat does. When ctx ends first, Close returns its error, and closing goes on.
func (b *Backend) Close(ctx context.Context) error {
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
		if d.recall(q); q.asking {
			how = "forbid"
		}
		d.returns = append(d.returns, d.b.giveBackOf(q, how))
		d.finish(q, outcome{err: backends.ErrClosed})
	}
	for seq, h := range d.held {
		d.returns = append(d.returns, &giveBack{call: d.b.giveBackCall(h.place.name, h.id, "cancel")})
		d.drop(seq)
	}
	d.deafen()
	d.sendReturns()
	d.settle()
}

// settle closes the connections when all was given back, which ends the I/O that is still going on, and then reports that
// the client is closed.
func (d *desk) settle() {
	if !d.closing || d.returning || len(d.returns) > 0 && !d.shut {
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
