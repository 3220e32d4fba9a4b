package postgres

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Close ends the client: waiting requests fail with [backends.ErrClosed], grants are given back, and
// nothing of it runs when Close returns. The pool given to [New] stays open.
//
// Close repeats a release that the server does not confirm until ctx ends or the grant has expired.
// When ctx ends first, Close returns its error; closing goes on for as long as one statement may
// take, and grants and waiters that are left end by themselves, with their time to live or their
// heartbeat.
func (b *Backend) Close(ctx context.Context) error {
	if err := backends.CheckContext(ctx); err != nil {
		return wrap("close", "", err)
	}
	b.tell(closeAll{})
	select {
	case <-b.client.closed:
		return nil
	default:
	}
	select { // a tie does not matter: both are true
	case <-b.client.closed:
		return nil
	case <-ctx.Done():
		b.tell(stopRetries{})
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
	for _, q := range cl.waiting { // fail takes others of its operation out, too
		q.op.revoke()
		cl.fail(q.op, nil, backends.ErrClosed, false)
	}
	for q := range cl.endings.following {
		cl.unfollow(q)
	}
	for seq, h := range cl.held {
		if h.back == nil { // else a release is on its way already
			cl.endings.list = append(cl.endings.list, h.ending())
		}
		cl.drop(seq)
	}
	for _, q := range cl.adopting {
		unadopted{q}.on(cl)
	}
	cl.quiet()
	cl.sendEndings()
	cl.settle()
}

// quiet stops the timers, and closes the inbox.
func (cl *client) quiet() {
	cl.heartbeat.stop()
	if cl.sweeping != nil {
		cl.sweeping.Stop()
	}
	cl.deafen()
}

// settle ends the I/O that is still going on when all was given back, and then reports that the
// client is closed.
func (cl *client) settle() {
	if !cl.closing || !cl.shut && !cl.endings.empty() {
		return
	}
	cl.shut = true
	cl.b.stop()
	switch {
	case cl.io > 0:
	case cl.b.owns:
		cl.b.owns = false
		cl.task(func() message {
			cl.b.pool.Close()
			return nil
		})
	default:
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
