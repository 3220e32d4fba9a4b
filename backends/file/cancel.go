package file

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// Cancel takes back the requests of op that have no answer yet. It returns no work. If another
// process has locked a table, the answer comes when the table is free, or after a tenth of a second.
// In the second case the request leaves the table as soon as it is free; if it is granted before
// that, the grant is released. See [backends.Backend].
func (b *Backend) Cancel(op *backends.Op) backends.Work {
	b.made()
	if o, ok := op.State.(*operation); ok && o != nil {
		o.cancel(context.Canceled)
	}
	return nil
}

// cancelPatience is how long a cancelled caller waits for its ticket to be taken out of a table that another process has
// locked.
const cancelPatience = 100 * time.Millisecond

// cancel has each request without an answer taken back by its resource. A request that has not come
// to its resource yet finds cancelled there, see admit. One that has come before cancelled was set
// has its resource in the index, so it is found here.
func (o *operation) cancel(err error) {
	o.cancelled.CompareAndSwap(nil, &err)
	for i := range o.parts {
		if p := &o.parts[i]; !p.answered.Load() {
			o.cancelPart(p, err)
		}
	}
}

func (o *operation) cancelPart(p *part, err error) {
	switch r := o.b.live(lockdir.Stem(p.request.Name)); {
	case r == nil:
		p.answer(err)
	case o.b.slow:
		r.actor.Tell(message{verb: cancel, part: p, err: err})
	default:
		r.actor.Deliver(message{verb: cancel, part: p, err: err})
	}
}

// cancel takes a request back, or finds that it has not come or is over. It touches the part only if
// it may have come here.
func (r *resource) cancel(m message) {
	p := m.part
	switch {
	case r.retired: // the request may have come to a successor
		p.op.cancelPart(p, m.err)
		return
	case !r.taken && r.parts[p.id.Seq] != p:
		p.answer(m.err)
		return
	case !r.taken && p.state == granted:
		return
	}
	r.pending = append(r.pending, m)
	r.work()
	if r.locking { // by a process that is slow, perhaps stopped: the caller must not wait for that
		r.actor.After(cancelPatience, message{verb: cancelLate, part: p, err: m.err})
	}
}

// cancelWaiting takes a waiting request out of the queue. One that has not come is answered, and is not
// admitted when it comes.
func (r *resource) cancelWaiting(m *message) {
	switch p := m.part; {
	case r.parts[p.id.Seq] != p:
		p.answer(m.err)
	case p.state == waiting:
		r.leave(p, m.err)
	}
}

// leave takes one of our waiters out of the queue and answers it. Whoever was behind it is woken, to watch another than us.
func (r *resource) leave(p *part, err error) {
	r.end(p)
	if i := lockdir.Drop(&r.tab.Waiters, p.id); i >= 0 {
		r.turn.dirty, r.turn.moved = true, true
		r.wakeAt(i)
	}
	r.refusePart(p, err)
}

// revoke takes back what a request had from this turn, of which nobody has heard: a try that was in
// vain, or one request of an operation that fails. A try in vain has nothing written: its token is
// given back with its permits. But another request of ours that was granted before it in this turn
// has a token too, and must be written.
func (r *resource) revoke(p *part, err error) {
	t := r.tab
	switch p.state {
	case granted:
		lockdir.Drop(&t.Holders, p.id)
		if p.clean && !r.turn.moved && t.Token == p.last {
			t.Token, r.turn.dirty = p.before, false
		}
	case waiting:
		lockdir.Drop(&t.Waiters, p.id)
	default: // it has failed by itself
		return
	}
	r.end(p)
	r.refusePart(p, err)
}

// refusePart has a request answered with an error at the end of the turn.
func (r *resource) refusePart(p *part, err error) {
	p.err, p.state = err, over
	if p.op.cancelled.CompareAndSwap(nil, &err) && len(p.op.parts) > 1 {
		r.turn.broken = append(r.turn.broken, p.op)
	}
	r.turn.refused = append(r.turn.refused, p)
}

// revoke takes back all that an operation has had from this turn, if one of its requests has failed.
func (o *operation) revoke(rs []*resource) {
	err := o.cancelled.Load()
	if err == nil {
		return
	}
	for i := range o.parts {
		rs[o.parts[i].step].revoke(&o.parts[i], *err)
	}
}
