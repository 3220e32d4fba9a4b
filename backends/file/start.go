package file

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// operation is an Op on its way through the resources of its names, in the order of their stems: a
// step for each. Each resource locks its table and then leaves itself to the operation: it only
// collects mail until it is freed. The last one changes all the tables in its turn, see change.
//
// The steps of an operation that only releases do not wait for each other, for a release here and one
// there may happen in any order: each is a turn of its own, as for an operation on one name.
//
// Operations do not wait for each other in a circle: in every process they lock tables in the same
// order, and whatever else locks a table locks no other one meanwhile. The kernel's locks on lock
// files are never waited for.
//
// It belongs to the resource, or the goroutine, that has the next step in hand, and a step to its
// resource.
type operation struct {
	b        *Backend
	wait     bool
	granted  func(int, backends.Grant, error)
	released func(int, error)
	parts    []part
	releases []release
	steps    []step

	left      atomic.Int32          // steps that have not been done
	cancelled atomic.Pointer[error] // why all requests fail that have no answer yet; nil: they do not
	done      chan struct{}         // capacity 1: told when all have been; nil: nobody waits

	oneStep [1]step // room for steps
}

// step is what an operation does with one name.
type step struct {
	name, stem string
	releases   *release  // the first; the others follow it in the order of the op
	part       *part     // nil: it acquires nothing
	resource   *resource // has locked its table, or done the step; nil: not yet
}

// Start begins an operation. It does it at once if the files of all its names are open and no table
// has to be waited for: that takes some system calls of a microsecond each for each name. Otherwise,
// and always where they may take as long as a disk or a server ([WithSync], [WithAnyFileSystem]), it
// returns work. See [backends.Backend].
//
// A holder that was stopped (SIGSTOP) holds on; one that was killed does not. Released tells
// [backends.ErrUnavailable] if the table could not be written: the kernel's lock is free all the
// same, and the table follows as soon as it can.
func (b *Backend) Start(op *backends.Op) backends.Work {
	b.made()
	err := op.Check(capabilities)
	o := b.newOperation(op)
	if len(op.Acquire) > 0 {
		op.State = o
	}
	switch {
	case b.closing.Load():
		o.end(backends.ErrClosed)
		return nil
	case err != nil:
		o.refuse(err)
	}
	o.plan()
	o.left.Store(int32(len(o.steps)))
	if len(o.steps) == 0 || !b.slow && o.now() {
		if len(op.Acquire) == 0 { // nothing refers to it any more
			clear(o.releases)
			clear(o.steps)
			*o = operation{steps: o.steps[:0], releases: o.releases[:0]}
			b.operations.Put(o)
		}
		return nil
	}
	return o.run
}

func (b *Backend) newOperation(op *backends.Op) *operation {
	var o *operation
	if len(op.Acquire) == 0 {
		o, _ = b.operations.Get().(*operation)
	}
	if o == nil {
		o = new(operation)
		o.steps = o.oneStep[:0]
	}
	o.b, o.wait, o.granted, o.released = b, op.Wait, op.Granted, op.Released
	o.releases = slices.Grow(o.releases, len(op.Release))[:len(op.Release)]
	for i := range op.Release {
		g, l := &op.Release[i], &o.releases[i]
		l.op, l.index, l.id, l.name, l.token = o, i, g.ID, g.Resource.Name, g.Token
		l.keep = g.AtLeast > 0
	}
	if len(op.Acquire) > 0 {
		o.parts = make([]part, len(op.Acquire))
	}
	for i := range op.Acquire {
		p := &o.parts[i]
		p.op, p.index, p.request = o, i, op.Acquire[i]
	}
	return o
}

// plan lists the steps. A name without a live resource has no grants: its releases are answered
// without opening its files.
func (o *operation) plan() {
	for i := range o.releases {
		l := &o.releases[i]
		if s := lockdir.Stem(l.name); o.b.live(s) != nil {
			o.steps = append(o.steps, step{name: l.name, stem: s, releases: l})
		} else {
			l.answer(l.notHeld())
		}
	}
	for i := range o.parts {
		p := &o.parts[i]
		o.steps = append(o.steps, step{name: p.request.Name, stem: lockdir.Stem(p.request.Name), part: p})
	}
	if len(o.steps) > 1 {
		o.join()
	}
}

// join sorts the steps and makes one of those for the same name: some releases, and then a part.
func (o *operation) join() {
	slices.SortStableFunc(o.steps, func(a, b step) int { return cmp.Compare(a.stem, b.stem) })
	for k := len(o.steps) - 2; k >= 0; k-- {
		if s, next := &o.steps[k], &o.steps[k+1]; s.stem == next.stem {
			s.releases.next, s.part = next.releases, next.part
		}
	}
	o.steps = slices.CompactFunc(o.steps, func(a, b step) bool { return a.stem == b.stem }) // the first stays
	for k := range o.steps {
		if p := o.steps[k].part; p != nil {
			p.step = k
		}
	}
}

// now does the operation before it returns, or what it can of it: all or nothing if it acquires.
func (o *operation) now() bool {
	done := true
	for k := range o.steps {
		s := &o.steps[k]
		r := o.b.live(s.stem)
		if r != nil && r.actor.TryDeliver(message{verb: start, now: true, op: o, step: k}) && s.resource != nil {
			continue
		}
		if o.linked() {
			o.free(k)
			return false
		}
		done = false
	}
	return done
}

// free lets go of the resources of the steps before k, which have their tables locked.
func (o *operation) free(k int) {
	for i := range o.steps[:k] {
		r := o.steps[i].resource
		o.steps[i].resource = nil
		r.actor.Deliver(message{verb: freed})
	}
}

// run is the work of the operation. It returns when the operation has been done, or when ctx ends.
// If both have happened it does not matter which it notices: what has its answer is not cancelled.
func (o *operation) run(ctx context.Context) {
	o.done = make(chan struct{}, 1)
	if err := backends.Ended(ctx); err != nil {
		o.cancel(err)
	}
	for k := range o.steps {
		if o.steps[k].resource == nil {
			o.send(k, (*actor.OnDemand[message]).Deliver)
		}
		if o.linked() {
			break // the resources pass it on
		}
	}
	select { // what is done at once is done although ctx has ended
	case <-o.done:
		return
	default:
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		err := backends.Ended(ctx)
		o.cancel(err)
		for i := range o.releases {
			o.releases[i].answer(lockdir.Unavailable(err))
		}
	}
}

// send has a resource take its step.
func (o *operation) send(k int, by func(*actor.OnDemand[message], message)) {
	s := &o.steps[k]
	by(o.b.resource(s.name, s.stem).actor, message{verb: start, op: o, step: k})
}

// resources returns those of the steps.
func (o *operation) resources() []*resource {
	rs := make([]*resource, len(o.steps))
	for k := range rs {
		rs[k] = o.steps[k].resource
	}
	return rs
}

// linked reports whether the operation takes several tables at once.
func (o *operation) linked() bool { return len(o.steps) > 1 && len(o.parts) > 0 }

func (o *operation) verb() string {
	if o.wait {
		return "acquire"
	}
	return "try to acquire"
}

// finish notes that a step has been done. Work returns after the last.
func (o *operation) finish(k int, r *resource) {
	o.steps[k].resource = r
	if o.left.Add(-1) == 0 {
		o.wake()
	}
}

// wake lets work return.
func (o *operation) wake() {
	if o.done != nil {
		select {
		case o.done <- struct{}{}:
		default: // it was told
		}
	}
}

// refuse answers all requests, before any was made. The releases go on.
func (o *operation) refuse(err error) {
	for i := range o.parts {
		o.parts[i].answer(err)
	}
	o.parts = nil
}

// end answers everything that has no answer yet: the operation does not go on.
func (o *operation) end(err error) {
	for i := range o.releases {
		o.releases[i].answer(err)
	}
	for i := range o.parts {
		o.parts[i].answer(err)
	}
	for i := range o.steps {
		if r := o.steps[i].resource; r != nil && o.linked() {
			r.actor.Tell(message{verb: freed})
		}
	}
	o.wake()
}

func (l *release) notHeld() error {
	return notHeld(backends.Grant{Resource: backends.Resource{Name: l.name}, Token: l.token})
}

// wantsPermits reports whether the step acquires permits of a semaphore.
func (s *step) wantsPermits() bool {
	return s.part != nil && !lockdir.OnKernel(s.part.request.Kind)
}
