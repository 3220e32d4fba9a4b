package file

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
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
}

// turn is what happens under one lock of the table. Answers and messages go out when the table is unlocked.
type turn struct {
	reread   bool     // the table is not as we left it
	dirty    bool     // the table is to be written
	moved    bool     // permits were freed or the queue changed its head: others may be due
	minted   []*call  // granted
	queued   []*call  // new, and neither granted nor refused
	answers  []*call  // to be answered
	undone   []*call  // of answers, those that fail if the table cannot be written
	events   []event  // to be told
	targets  []uint64 // clients to be woken
	acks     int      // shuts to be acknowledged
	everyone bool     // all clients are to look: the table was damaged
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
		if len(r.pending) > 0 {
			r.work()
		} else {
			r.stand()
		}
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

// resume goes on when the table is locked, or never will be.
func (r *resource) resume(err error) {
	if err == nil {
		err = r.load()
		if errors.Is(err, errReplaced) { // locked a file that has lost its name: again, with the new one
			unlock(r.table.fd)
			r.table.close()
			r.work()
			return
		}
	}
	if err != nil {
		r.refuse(r.unavailable(err))
	} else {
		r.change()
	}
	if r.table.fd >= 0 {
		unlock(r.table.fd)
	}
	r.conclude()
}

// change does what is pending to the table. The table is locked.
func (r *resource) change() {
	pending := r.pending
	r.pending = r.pending[len(r.pending):]
	if r.turn.reread || r.unsaved {
		r.reconcile()
	}
	r.unsaved = false
	for _, m := range pending {
		r.apply(m)
	}
	clear(pending)
	if len(r.pending) == 0 {
		r.pending = pending[:0]
	}
	r.settle()
	r.spread()
	r.announce() // losses before anybody else can see that the permits are free
	err := r.save()
	if err == nil && r.newHead() {
		// The holder may have let go before it could see the ticket: see letGo.
		if r.settle(); len(r.turn.minted) > 0 {
			r.spread()
			r.announce()
			err = r.save()
		}
	}
	if err != nil {
		r.undo(r.unavailable(err))
	}
	r.dropKernel()
}

func (r *resource) apply(m message) {
	switch m.verb {
	case acquire, try:
		r.admit(m.call, m.verb == try)
	case cancelWait:
		r.withdraw(m.call)
	case release:
		r.release(m.call)
	case renew:
		r.renew(m.call)
	case inspect:
		r.inspect(m.call)
	case breakAll:
		r.breakAll(m.call)
	case shut:
		r.shut()
	case verify:
		r.attempts = 0
		r.checkKernel()
		if err := r.b.dir.holds(r.b.inboxPath(), r.b.inbox); gone(err) {
			r.loseSemaphores(err)
		}
	case tidyUp:
		r.tidy()
	case look:
		r.attempts = 0
	case again: // the settling that follows is the look
	case died:
		r.attempts = 0
		r.watched = slices.DeleteFunc(r.watched, func(c uint64) bool { return c == m.client }) // the watch is over
		r.bury(m.client)
	}
}

// announce tells holders and waiters what has happened to them.
func (r *resource) announce() {
	for _, e := range r.turn.events {
		e.notify(e.Event)
	}
	r.turn.events = nil
}

// newHead reports whether the first in the queue has come in this turn and is ours.
func (r *resource) newHead() bool {
	q, t := r.turn.queued, r.tab
	return len(q) > 0 && len(t.waiters) > 0 && t.waiters[0].id == q[0].id
}

// conclude ends a turn: the table is unlocked, what was decided goes out.
func (r *resource) conclude() {
	r.announce()
	t := r.turn
	r.turn, r.spare = r.spare, turn{}
	for _, c := range t.minted {
		c.answer()
	}
	for _, c := range t.answers {
		c.answer()
	}
	for _, client := range t.targets {
		if !r.b.dir.wake(client, r.stem) {
			r.pending = append(r.pending, message{verb: died, client: client})
		}
	}
	r.spare = t.room()
	if len(r.pending) > 0 { // each death is reported once, so this comes to an end
		r.turn.acks = t.acks
		r.work()
		return
	}
	r.stand()
	for range t.acks {
		r.retire()
		r.b.watcher.actor.Tell(notice{verb: resourceShut})
	}
}

// room returns an empty turn that uses the memory of an old one.
func (t *turn) room() turn {
	again := turn{targets: t.targets[:0]}
	for _, list := range [...]struct{ old, again *[]*call }{
		{&t.minted, &again.minted}, {&t.queued, &again.queued}, {&t.answers, &again.answers}, {&t.undone, &again.undone},
	} {
		clear(*list.old) // calls are not ours any more, and large
		*list.again = (*list.old)[:0]
	}
	return again
}

// refuse answers everything pending with an error: the table could not be opened, locked or read. What ends, ends all
// the same; the table will be told when it can be.
func (r *resource) refuse(err error) {
	r.tab, r.unsaved = &table{name: r.name}, r.unsaved || len(r.calls) > 0
	r.table.forget()
	for _, m := range r.pending {
		switch m.verb {
		case acquire, try, renew, inspect, breakAll:
			m.call.err, m.call.state = err, over
			r.reply(m.call)
		case cancelWait:
			r.withdraw(m.call)
		case release:
			r.release(m.call)
			m.call.err = cmp.Or(m.call.err, err)
		case shut:
			r.shut()
		case verify:
			r.checkKernel()
		}
	}
	r.pending = r.pending[:0]
	r.dropKernel()
}

// unavailable is an error of the files of this name.
func (r *resource) unavailable(err error) error {
	return storeError("use", r.stem+tableEnding+" in "+r.b.dir.path, err)
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
