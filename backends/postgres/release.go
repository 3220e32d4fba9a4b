package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// released takes in what the server said of a release. Nothing was there: that is a loss, unless
// the release may have been repeated.
func (cl *client) released(o *operation, i int, was, unsure bool) {
	g := &o.releases[i]
	h := cl.heldBy(g.ID)
	if was || unsure || h != nil && h.back != nil {
		cl.conclude(o, i, nil)
		return
	}
	cl.conclude(o, i, lost(g.Grant, backends.NotOwner))
}

// conclude keeps the books on a release and tells what became of it, once. If a copy of the grant's
// acquire may still come, it is to have no effect. A release that was not confirmed is repeated by
// the client from now on, which keeps the grant in its books for as long as the server may keep it.
func (cl *client) conclude(o *operation, i int, err error) {
	g := &o.releases[i]
	if err != nil && !errors.Is(err, backends.ErrLost) {
		cl.unreleased(&g.Grant)
	} else if h := cl.heldBy(g.ID); h != nil {
		cl.drop(h.id.Seq)
		if h.copied {
			cl.finish(h.ending())
		}
	}
	if !g.told {
		g.told = true
		o.op.Released(i, wrap("release", g.Resource.Name, err))
	}
}

// ending gives the grant back in the background.
func (h *held) ending() *ending {
	return &ending{name: h.name, id: h.id, forbid: h.copied, free: h.free, until: h.till, held: true}
}

func (cl *client) unreleased(g *backends.Grant) {
	h := cl.heldBy(g.ID)
	if h == nil || h.back != nil || cl.closing { // released or lost already; or else closeAll does it
		return
	}
	h.leaving, h.back = true, h.ending()
	h.back.then = func() { cl.drop(h.id.Seq) }
	cl.finish(h.back)
}

const (
	endingTime  = 5 * time.Second // bounds one attempt
	endingBatch = 256             // in one statement
	endingMost  = 1 << 14         // bounds the places in queues among the repetitions
)

// ending is a grant or a place in the queue on its way back to the server. No caller waits for it,
// so it is sent in batches, and repeated at least once a second until the server confirms it or has
// freed it by itself. Only Close waits for it, within its context.
type ending struct {
	name   string
	id     backends.GrantID
	forbid bool      // a late copy of its request is to have no effect
	free   bool      // no permits stay taken
	until  time.Time // when the server has freed it by itself
	held   bool      // it was a grant that a caller had
	then   func()    // nil, or called when it was given back or attempts have ended, in the client's turn
	failed bool      // attempts have ended
}

// endings is all that the client has to give back, one batch at a time.
type endings struct {
	list      []*ending
	sending   bool
	failed    []*ending                 // to be sent again after the pause
	following map[*request]*actor.Timer // cancels that wait for the answer to what they take back
	pause     time.Duration
	again     stopper
	noRetry   bool // the context of Close has ended
}

func (r *endings) empty() bool {
	return len(r.list) == 0 && !r.sending && len(r.failed) == 0 && len(r.following) == 0
}

func (g *ending) end(failed bool) {
	g.failed = failed
	if g.then != nil {
		g.then()
	}
}

func (cl *client) finish(g *ending) {
	cl.endings.list = append(cl.endings.list, g)
	cl.sendEndings()
}

func (cl *client) sendEndings() {
	r := &cl.endings
	if r.sending || len(r.list) == 0 || cl.shut {
		return
	}
	r.sending = true
	n := min(len(r.list), endingBatch)
	batch := r.list[:n:n]
	r.list = r.list[n:]
	s := newStatement(cl.b, true)
	for _, g := range batch {
		s.names = append(s.names, g.name)
	}
	s.sort()
	for _, g := range batch {
		s.release(g.name, g.id, g.forbid, g.free)
	}
	args := s.args()
	cl.task(func() message {
		return attempted{batch, cl.b.ask(endingTime, nil, cl.b.call.op, args...).err}
	})
}

// attempted is what came of a batch.
type attempted struct {
	batch []*ending
	err   error
}

func (m attempted) on(cl *client) {
	r := &cl.endings
	r.sending = false
	now := time.Now()
	for _, g := range m.batch {
		switch {
		case m.err == nil:
			r.pause = 0
			g.end(false)
		case final(m.err) && !errors.Is(m.err, backends.ErrPermission), r.noRetry, !now.Before(g.until),
			!g.held && len(r.failed) >= endingMost:
			g.end(true)
		default:
			r.failed = append(r.failed, g)
		}
	}
	cl.sendEndings()
	if len(r.failed) > 0 && r.again.timer == nil {
		r.pause = longer(r.pause)
		r.again.timer = cl.actor.After(r.pause, resend{})
	}
}

// resend says that it is time for another attempt.
type resend struct{}

func (resend) on(cl *client) {
	r := &cl.endings
	r.again.timer = nil
	r.list, r.failed = append(r.list, r.failed...), nil
	cl.sendEndings()
}

// stopRetries says that Close has returned: attempts that fail are not made again.
type stopRetries struct{}

func (stopRetries) on(cl *client) {
	r := &cl.endings
	r.noRetry = true
	r.again.stop()
	late := r.failed
	r.failed = nil
	for _, g := range late {
		g.end(true)
	}
	cl.settle()
}

// Break ends every grant of the resource. ErrUnavailable says that it may have done so. Holders hear
// of it at once if they listen, which they do when they have held for a moment, and otherwise at
// their next renewal.
func (b *Backend) Break(ctx context.Context, name string) error {
	if err := backends.CheckName(name); err != nil {
		return wrap("break", "", err)
	}
	var err error
	if e := b.do(ctx, func() {
		var n int64
		err = b.askOne(&n, b.call.end, []byte(name))
	}); e != nil { // and err is the task's alone
		return wrap("break", name, e)
	}
	return wrap("break", name, err)
}
