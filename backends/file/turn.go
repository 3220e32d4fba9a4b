package file

import (
	"cmp"
	"errors"
	"slices"
)

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

	abandoned error // why the resource is of no use any more: the directory has gone
}

// resume goes on when the table is locked, or never will be.
func (r *resource) resume(err error) {
	if err == nil {
		err = r.load()
		if errors.Is(err, errReplaced) { // locked a file that has lost its name: again, with the new one
			unlock(r.table.fd)
			r.table.close()
			r.declinePending()
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
	case acquire, try, tryNow:
		r.admit(m.call, m.verb)
	case cancelWait:
		r.withdraw(m.call)
	case release, releaseNow:
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
		r.checkPlace()
		r.buryWatched()
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
		r.turn.acks, r.turn.abandoned = t.acks, t.abandoned
		r.work()
		return
	}
	r.stand()
	if t.abandoned != nil && !r.locking && len(r.calls) == 0 {
		r.retire()
	}
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
		case acquire, try, tryNow, renew, inspect, breakAll:
			m.call.err, m.call.state = err, over
			r.reply(m.call)
		case cancelWait:
			r.withdraw(m.call)
		case release, releaseNow:
			r.release(m.call)
			m.call.err = cmp.Or(m.call.err, err)
		case shut:
			r.shut()
		case verify:
			r.checkPlace()
		}
	}
	r.pending = r.pending[:0]
	r.dropKernel()
}
