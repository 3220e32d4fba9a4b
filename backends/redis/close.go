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
	b.client.actor.Deliver(closeAll{})
	select {
	case <-b.client.closed:
		return nil
	default:
	}
	select { // a tie does not matter: both are true
	case <-b.client.closed:
		return nil
	case <-ctx.Done():
		b.client.actor.Deliver(stopRetries{})
		return wrap("close", "", backends.Ended(ctx))
	}
}

// closeAll begins the end.
type closeAll struct{}

func (closeAll) on(cl *client) {
	if cl.closing {
		return
	}
	cl.closing = true
	cl.b.ended.Store(true)
	for _, q := range cl.waiting { // fail takes others of its operation out, too
		q.op.revoke()
		cl.fail(q.op, nil, backends.ErrClosed, false)
	}
	for seq, h := range cl.held {
		if h.back == nil { // else a release is on its way already
			back := &ending{call: cl.b.endCall(h.place.name, h.ends()...), until: h.till, held: true}
			cl.endings.fresh.list = append(cl.endings.fresh.list, back)
		}
		cl.drop(seq)
	}
	for _, q := range cl.adopting {
		unadopted{q}.on(cl)
	}
	stopAll(cl.unsure)
	cl.deafen()
	cl.sendEndings(&cl.endings.fresh)
	// An operation whose command is on its way has begun before this turn, and may be in the mail:
	// the connections are closed after it.
	cl.actor.Tell(settle{})
}

// settle says that what Close waits for may be over.
type settle struct{}

func (settle) on(cl *client) { cl.settle() }

// settle closes the connections when all was given back, which ends the I/O that is still going on, and then reports that
// the client is closed.
func (cl *client) settle() {
	if !cl.closing || !cl.shut && !cl.endings.empty() {
		return
	}
	if !cl.shut {
		cl.shut = true
		cl.b.closing.Store(true)
		cl.task(func() message {
			cl.b.conns.close()
			return nil
		})
		return
	}
	if cl.io == 0 && cl.b.running.Load() == 0 {
		cl.end()
	}
}

func (cl *client) end() {
	select {
	case <-cl.closed:
	default:
		close(cl.closed)
	}
}
