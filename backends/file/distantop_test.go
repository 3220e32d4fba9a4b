package file

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// childOp is an operation in the process of the client, which says its answers.
func childOp(c *proctest.Child, o order) *backends.Op {
	op := &backends.Op{
		Release: o.Release, Acquire: o.Acquire, Wait: o.Wait,
		Released: func(i int, err error) { c.Say("%s", encode(result{ID: o.ID, Of: "release", Part: i, Err: pack(err)})) },
		Granted: func(i int, g backends.Grant, err error) {
			c.Say("%s", encode(result{ID: o.ID, Of: "acquire", Part: i, Grant: g, Err: pack(err)}))
		},
	}
	for i := range op.Acquire {
		op.Acquire[i].Notify = func(e backends.Event) {
			r := result{ID: o.ID, Of: "event", Part: i, Err: pack(e.Err)}
			e.Err = nil
			r.Event = &e
			c.Say("%s", encode(r))
		}
	}
	return op
}

// distantOp is an operation that a client in another process does.
type distantOp struct {
	id     int
	op     *backends.Op
	notify []func(backends.Event)
	worked chan struct{} // closed when the work is done there

	mu              sync.Mutex
	ended           error           // of the context of the work
	open            map[[2]int]bool // parts without an answer: which list, which place
	sent, cancelled bool
	closed          bool
}

// hear passes on what the client has said.
func (d *distantOp) hear(res result) {
	err := res.Err.unpack()
	d.mu.Lock()
	if errors.Is(err, context.Canceled) && d.ended != nil {
		err = d.ended // there; here it may have been a deadline
	}
	d.mu.Unlock()
	switch res.Of {
	case "work":
		d.done()
	case "release":
		d.answer(0, res.Part, res.Grant, err)
	case "acquire":
		d.answer(1, res.Part, res.Grant, err)
	case "event":
		if lost := res.Err.Lost; lost != nil {
			err = lost
		}
		if notify := d.notify[res.Part]; notify != nil {
			res.Event.Err = err
			notify(*res.Event)
		}
	case "death":
		for i := range d.op.Release {
			d.answer(0, i, backends.Grant{}, lockdir.ErrDead)
		}
		for i := range d.notify {
			d.answer(1, i, backends.Grant{}, lockdir.ErrDead)
		}
		d.done()
	}
}

func (d *distantOp) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		close(d.worked)
	}
}

func (d *distantOp) answer(list, i int, g backends.Grant, err error) {
	d.mu.Lock()
	open := d.open[[2]int{list, i}]
	delete(d.open, [2]int{list, i})
	d.mu.Unlock()
	switch {
	case !open:
	case list == 0:
		d.op.Released(i, err)
	default:
		d.op.Granted(i, g, err)
	}
}

// Start has the client start op. Its work waits for the client's.
func (r *distant) Start(op *backends.Op) backends.Work {
	o := order{Op: "start", Acquire: slices.Clone(op.Acquire), Release: op.Release, Wait: op.Wait}
	if err := op.Check(capabilities); err != nil { // perhaps too long for a line
		op.Fail(err)
		o.Acquire = nil
	}
	d := &distantOp{op: op, worked: make(chan struct{}), open: make(map[[2]int]bool)}
	for i := range o.Release {
		d.open[[2]int{0, i}] = true
	}
	for i := range o.Acquire {
		d.open[[2]int{1, i}] = true
		d.notify = append(d.notify, o.Acquire[i].Notify)
		o.Acquire[i].Notify = nil
	}
	op.State = d
	r.mu.Lock()
	r.last++
	o.ID, d.id = r.last, r.last
	r.mu.Unlock()
	return func(ctx context.Context) {
		if err := ctx.Err(); err != nil {
			d.mu.Lock()
			d.cancelled = true
			d.mu.Unlock()
			for i := range o.Acquire {
				d.answer(1, i, backends.Grant{}, err)
			}
		}
		if !r.send(d, o) {
			return
		}
		select {
		case <-d.worked:
		case <-ctx.Done():
			d.mu.Lock()
			d.ended = ctx.Err()
			d.mu.Unlock()
			r.say(order{ID: d.id, Op: "end"})
			<-d.worked
		}
	}
}

// Cancel has the client cancel op.
func (r *distant) Cancel(op *backends.Op) backends.Work {
	d, ok := op.State.(*distantOp)
	if !ok {
		return nil
	}
	d.mu.Lock()
	sent := d.sent
	d.cancelled = true
	d.mu.Unlock()
	if sent {
		r.say(order{ID: d.id, Op: "cancel"})
		return nil
	}
	for i := range d.notify {
		d.answer(1, i, backends.Grant{}, context.Canceled)
	}
	return nil
}

// send has the client start what has no answer yet. False: it is dead.
func (r *distant) send(d *distantOp, o order) bool {
	r.mu.Lock()
	dead := r.stopped
	if !dead {
		d.mu.Lock()
		d.sent = true
		if d.cancelled {
			o.Acquire = nil
		}
		d.mu.Unlock()
		r.ops[o.ID] = d
		r.p.TrySay("%s", encode(o)) // to a dead one it is lost; its end is told by listen
	}
	r.mu.Unlock()
	if dead {
		d.hear(result{Of: "death"})
	}
	return !dead
}

func (r *distant) say(o order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.p.TrySay("%s", encode(o)) // to a dead one it is lost; its end is told by listen
	}
}
