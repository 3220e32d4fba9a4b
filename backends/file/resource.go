package file

import (
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// resource is what one Backend knows of one name while it uses it: an actor on demand.
//
// Owns: the name's open files, the kernel locks on them, the calls that wait for or hold the name.
// Takes: message.
// States: live; retired, after it was out of use for a while, with nothing open and out of the index: whoever still
// comes is sent to its successor.
//
// Between turns:
//
//	I1  The table is not locked by us, unless locking: then a task waits for its lock and nothing else happens.
//	I2  Our lines of the table are calls, in the same state; unless unsaved: then our next turn makes it so.
//	I3  kernelHolds counts our grants that lie on the kernel lock; it is not locked if and only if that is 0.
//	I4  A first waiter of ours that could be granted, is.
//	I5  If calls is not empty, something will wake us: another process, a watch, or the timer.
//
// Its turns make system calls on two small local files, each a microsecond or so, on the goroutine of the caller. The one
// that can take long is waiting for the lock of a table that another process is changing: it is tried in the
// turn and waited for in a task.
type resource struct {
	b     *Backend
	name  string
	stem  string
	actor *actor.OnDemand[message]

	table  tableFile
	kernel kernelLock
	tab    *table // as in the file, after load

	calls   map[uint64]*call // waiting and granted, by number
	waiters int              // how many of calls wait

	pending   []message // to be handled under the table's lock
	locking   bool
	unsaved   bool // the table could not be written: our lines there are out of date
	leftover  bool // the table may have a line of ours that is over: see letGo
	retired   bool
	lingering bool // out of use, and counted in the Backend's

	turn  turn // what the present turn under the lock has found out
	spare turn // room for the next one

	blocked  bool         // our first waiter could have the lock but for the kernel's refusal
	attempts int          // looks at it since the last event
	retrying bool         // another look is on its way
	lockSeen bool         // the watcher reports uses of the lock file to us
	watched  []uint64     // clients whose end the watcher reports to us
	timer    *actor.Timer // brings the next tick; nil: none is on its way
	slow     bool         // it is the net's
	used     bool         // since the last tick
	told     bool         // holders of ours were told that somebody waits
	settled  bool         // in use for longer than one tick

	owner backends.Owner // the last one seen, and what the table says of it
	words string
	stamp stamp
}

func newResource(b *Backend, name, stem string) *resource {
	r := &resource{b: b, name: name, stem: stem, table: tableFile{fd: -1}, kernel: kernelLock{fd: -1}, calls: make(map[uint64]*call)}
	r.actor = actor.NewOnDemand("lockkeeper/file "+stem, r.receive, r.failed)
	return r
}

var errRetired = errors.New("resource has retired") // never leaves the package: the caller finds the successor

func (r *resource) receive(m message) {
	switch {
	case m.verb == tableLocked:
		r.locking = false
		r.resume(m.err)
		return
	case m.verb == giveUp:
		r.answer(m.call, errGaveUp)
		return
	case m.verb == tick:
		r.tick()
		return
	case m.verb == closeIdle:
		if r.lingering && !r.locking && !r.retired {
			r.retireIdle()
		}
		return
	case m.verb == tryNow, m.verb == releaseNow:
		r.prompt(m)
		return
	case r.retired:
		r.redirect(m)
		return
	case m.call != nil && m.verb != cancelWait && r.b.closing.Load():
		m.call.fail(backends.ErrClosed) // before anything is opened: see watcher.closeAll
		return
	case m.verb == cancelWait && r.forget(m.call):
		return
	}
	r.used = true
	if m.verb == again {
		r.retrying = false
	}
	if m.verb == release && r.letGo(m.call) {
		r.afterLetGo()
		return
	}
	r.pending = append(r.pending, m)
	r.work()
	if m.verb == cancelWait && r.locking {
		// The table is locked by a process that is slow, perhaps stopped. The caller must not wait for that.
		r.actor.After(cancelPatience, message{verb: giveUp, call: m.call})
	}
}

// cancelPatience is how long a cancelled caller waits for its ticket to be taken out of a table that another process has
// locked. After that the ticket goes as soon as that process lets go; if it were granted first, it would be given back.
const cancelPatience = 100 * time.Millisecond

var errGaveUp = errors.New("cancelled")

// redirect answers what reaches a retired resource.
func (r *resource) redirect(m message) {
	switch m.verb {
	case acquire, try, renew, release, inspect, breakAll:
		m.call.fail(errRetired)
	case cancelWait:
		m.call.fail(errGaveUp)
	case shut:
		r.b.watcher.actor.Tell(notice{verb: resourceShut})
	}
}

// forget drops a call that has not been handled yet. True: it was answered.
func (r *resource) forget(c *call) bool {
	if c.state != fresh {
		return c.state != waiting
	}
	for i, m := range r.pending {
		if m.call == c && (m.verb == acquire || m.verb == try) {
			r.pending = append(r.pending[:i:i], r.pending[i+1:]...)
			c.fail(errGaveUp)
			return true
		}
	}
	return false
}

// answer ends a call that its caller may have given up already.
func (r *resource) answer(c *call, err error) {
	if !c.answered {
		c.err = err
		c.answer()
	}
}

// work handles what is pending, if the table's lock can be had, or sees to it that it is handled later.
func (r *resource) work() {
	if r.locking || len(r.pending) == 0 {
		return
	}
	ok, err := r.lockTable()
	if err == nil && !ok {
		r.locking = true
		fd := r.table.fd // stays open while locking
		r.actor.Go(func() message { return message{verb: tableLocked, err: waitLock(fd)} })
		return
	}
	r.resume(err)
}

// lockTable tries to lock the table a few times: it is mostly locked for microseconds only.
func (r *resource) lockTable() (bool, error) {
	const tries = 10
	if err := r.openTable(); err != nil {
		return false, err
	}
	for range tries {
		if ok, err := tryLock(r.table.fd, exclusive); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// unavailable is an error of the files of this name.
func (r *resource) unavailable(err error) error {
	return unusable("use", r.stem+tableEnding+" in "+r.b.dir.path, err)
}

// failed answers after a panic in a turn: state that is known to be half changed must not grant anything.
func (r *resource) failed(m message, p *actor.PanicError) {
	err := fmt.Errorf("%w: %w", backends.ErrUnavailable, p)
	if !r.retired {
		r.loseAll(err)
		for _, c := range r.calls {
			c.fail(err)
		}
		for _, m := range r.pending {
			if m.call != nil {
				m.call.fail(err)
			}
		}
		r.announce()
		r.retire()
	}
	if m.call != nil {
		m.call.fail(err)
	}
	if m.verb == shut {
		r.b.watcher.actor.Tell(notice{verb: resourceShut})
	}
}
