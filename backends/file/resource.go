package file

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// resource is what one Backend knows of one name while it uses it: an actor on demand.
//
// Owns: the name's open files, the kernel locks on them, the requests that wait for or hold the name.
// Takes: message.
// States: live; retired, after it was out of use for a while, with nothing open and out of the index: whoever still
// comes is sent to its successor.
//
// Between turns:
//
//	I1  The table is not locked by us, unless locking: then a task waits for its lock, or an operation has taken the
//	    resource, and nothing else happens. One that is taken belongs to the operation, but for its mail.
//	I2  Our lines of the table are parts, in the same state; unless unsaved: then our next turn makes it so.
//	I3  kernelHolds counts our grants that lie on the kernel lock; it is not locked if and only if that is 0.
//	I4  A first waiter of ours that could be granted, is.
//	I5  If parts is not empty, something will wake us: another process, a watch, or the timer.
//
// Its turns make system calls on two small local files, each a microsecond or so, on the goroutine of the caller. The one
// that can take long is waiting for the lock of a table that another process is changing: it is tried in the
// turn and waited for in a task.
type resource struct {
	b     *Backend
	name  string
	stem  string
	actor *actor.OnDemand[message]
	alone [1]*resource // itself: what a turn on one table changes

	table  lockdir.TableFile
	kernel kernelLock
	tab    *lockdir.Table // as in the file, after load
	stale  bool           // others have changed the table since reconcile

	parts   map[uint64]*part // waiting and granted, by number
	waiters int              // how many of parts wait

	pending   []message // to be handled under the table's lock
	batch     []message // what is handled in the present turn under the lock
	fault     error     // why the table cannot be used in that turn
	locking   bool
	locked    bool // the table is
	taken     bool // by an operation, which frees it
	unsaved   bool // the table could not be written: our lines there are out of date
	leftover  bool // the table may have a line of ours that is over: see releaseSole
	retired   bool
	lingering bool // out of use, and counted in the Backend's

	turn turn // what the present turn under the lock has found out

	blocked  bool         // our first waiter could have the lock but for the kernel's refusal
	attempts int          // looks at it since the last event
	retrying bool         // another look is on its way
	lockSeen bool         // the watcher reports uses of the lock file to us
	watched  []uint64     // clients whose end the watcher reports to us
	timer    *actor.Timer // brings the next tick; nil: none is on its way
	slow     bool         // it is the net's
	keep     *actor.Timer // brings the next look when a time is over that keeps our first waiter out
	used     bool         // since the last tick
	told     bool         // holders of ours were told that somebody waits
	settled  bool         // in use for longer than one tick

	owner backends.Owner // the last one seen, and what the table says of it
	words string
}

func newResource(b *Backend, name, stem string) *resource {
	r := &resource{b: b, name: name, stem: stem, table: lockdir.TableFile{FD: -1}, kernel: kernelLock{fd: -1}, parts: make(map[uint64]*part)}
	r.alone[0] = r
	r.actor = actor.NewOnDemand("lockkeeper/file "+stem, r.receive, r.failed)
	return r
}

var errRetired = errors.New("resource has retired") // never leaves the package: the caller finds the successor

func (r *resource) receive(m message) {
	switch {
	case m.verb == tableLocked:
		r.locking, r.locked = false, m.err == nil
		r.resume(m.err)
		return
	case m.verb == freed:
		r.locking, r.taken = false, false
		r.unlockTable()
		r.conclude()
		return
	case m.verb == poison:
		panic(m.err)
	case m.verb == cancel:
		r.cancel(m)
		return
	case m.verb == cancelLate:
		m.part.answer(m.err)
		return
	case m.verb == tick:
		r.tick()
		return
	case m.verb == closeIdle:
		if r.lingering && !r.locking && !r.retired {
			r.retireIdle()
		}
		return
	case m.now && (r.retired || r.locking || len(r.pending) > 0 || r.table.FD < 0 || r.b.closing.Load()):
		return // not without waiting
	case r.retired:
		r.redirect(m)
		return
	case r.b.closing.Load() && m.op != nil:
		m.op.end(backends.ErrClosed) // before anything is opened: see watcher.closeAll
		return
	case r.b.closing.Load() && m.query != nil:
		m.query.answer(backends.ErrClosed)
		return
	}
	r.used = true
	if m.verb == again {
		r.retrying = false
	}
	if m.verb == start && r.releaseSole(&m) {
		return
	}
	r.pending = append(r.pending, m)
	r.work()
}

// redirect answers what reaches a retired resource.
func (r *resource) redirect(m message) {
	switch {
	case m.op != nil:
		m.op.send(m.step, (*actor.OnDemand[message]).Tell)
	case m.query != nil:
		m.query.answer(errRetired)
	case m.verb == shut:
		r.b.watcher.actor.Tell(news{verb: resourceShut})
	}
}

// work handles what is pending, if the table's lock can be had, or sees to it that it is handled later.
func (r *resource) work() {
	if r.locking || len(r.pending) == 0 {
		return
	}
	ok, err := r.lockTable()
	switch {
	case ok || err != nil:
		r.resume(err)
	case r.pending[0].now:
		r.pending = r.pending[:0]
	default:
		r.locking = true
		fd := r.table.FD // stays open while locking
		r.actor.Go(func() message { return message{verb: tableLocked, err: lockdir.WaitLock(fd)} })
	}
}

// lockTable tries to lock the table a few times: it is mostly locked for microseconds only.
func (r *resource) lockTable() (bool, error) {
	const tries = 10
	if err := r.table.Open(r.b.dir, r.stem); err != nil {
		return false, err
	}
	for range tries {
		if ok, err := lockdir.TryLock(r.table.FD, lockdir.Exclusive); ok || err != nil {
			r.locked = ok
			return ok, err
		}
	}
	return false, nil
}

func (r *resource) unlockTable() {
	if r.locked {
		lockdir.Unlock(r.table.FD)
		r.locked = false
	}
}

// unavailable is an error of the files of this name.
func (r *resource) unavailable(err error) error {
	return lockdir.Unusable("use", r.stem+lockdir.TableEnding+" in "+r.b.dir.Path, err)
}

// failed answers after a panic in a turn: state that is known to be half changed must not grant anything.
func (r *resource) failed(m message, p *actor.PanicError) {
	err := fmt.Errorf("%w: %w", backends.ErrUnavailable, p)
	if !r.retired {
		for _, s := range r.partners() {
			s.actor.Tell(message{verb: poison, err: p})
		}
		r.loseAll(err)
		for _, p := range r.parts {
			p.answer(err)
		}
		for _, m := range append(r.batch, r.pending...) {
			m.fail(err)
		}
		r.announce()
		r.retire()
	}
	m.fail(err)
	if m.verb == shut {
		r.b.watcher.actor.Tell(news{verb: resourceShut})
	}
}

// partners returns the other resources of the operation that is changing the table now, if any.
func (r *resource) partners() []*resource {
	if len(r.batch) == 0 || r.batch[0].op == nil || !r.batch[0].op.linked() {
		return nil
	}
	rs := r.batch[0].op.resources()
	return slices.DeleteFunc(rs, func(p *resource) bool { return p == nil || p == r })
}

// fail answers whoever waits for the message to be handled.
func (m message) fail(err error) {
	switch {
	case m.op != nil:
		m.op.end(err)
	case m.part != nil:
		m.part.answer(err)
	case m.query != nil:
		m.query.answer(err)
	}
}
