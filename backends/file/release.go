package file

import (
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// held returns the part that a grant came from, if it is still held.
func (r *resource) held(l *release) (*part, error) {
	p := r.parts[l.id.Seq]
	if p == nil || p.state != granted || l.id.Client != r.b.id || l.token != p.token {
		return nil, l.notHeld()
	}
	return p, nil
}

func (r *resource) release(l *release) {
	r.turn.released = append(r.turn.released, l)
	p, err := r.held(l)
	if err != nil {
		l.err = err
		return
	}
	if l.keep {
		r.leaveKept(p)
	} else {
		r.drop(p)
	}
}

// leaveKept ends a grant. Its permits stay taken until its time is over: that stands in the table,
// and a waiter that it keeps out has a timer of its own.
func (r *resource) leaveKept(p *part) {
	r.end(p)
	if r.tab.EndGrant(p.id, lockdir.Now()) {
		r.turn.dirty, r.turn.moved = true, true
	}
}

// endKept removes the lines of kept grants that are over.
func (r *resource) endKept() {
	if r.tab.Keeps() {
		changed, freed := r.tab.EndKept(lockdir.Now())
		r.turn.dirty, r.turn.moved = r.turn.dirty || changed, r.turn.moved || freed
	}
}

// drop ends a grant, unless it is over, and frees its permits.
func (r *resource) drop(p *part) {
	if p.state != granted {
		return
	}
	r.end(p)
	lockdir.Drop(&r.tab.Holders, p.id)
	r.turn.dirty, r.turn.moved = true, true
}

// releaseSole releases a grant of everything, for which nobody waits, at less than half the price: it unlocks the kernel's lock
// and leaves the line in the table, to be overwritten by our next grant or removed when the resource retires. It reports
// whether it did. The kernel knows that the line means nothing, and everybody who finds such a line in the way asks it, about the
// very file that the line names.
//
// Nobody is left waiting. We unlock, and then look whether anybody has written to the table since we did. A process that
// begins to wait writes its ticket, and then tries the kernel's lock once more. Whichever is first, one of the two
// finds out about the other.
func (r *resource) releaseSole(m *message) bool {
	if len(m.op.parts) > 0 || r.locking || r.unsaved || len(r.pending) > 0 || len(r.parts) != 1 || r.kernel.mode != lockdir.Exclusive {
		return false
	}
	l := m.op.steps[m.step].releases
	if l == nil || l.next != nil {
		return false
	}
	p, err := r.held(l)
	if err != nil || p.keep != nil || len(r.tab.Waiters) > 0 || r.b.lingering.Load() >= mostLingering {
		return false
	}
	r.end(p)
	lockdir.Drop(&r.tab.Holders, p.id)
	r.dropKernel()
	r.leftover = true
	if same, err := r.table.Unchanged(); !same || err != nil {
		r.pending = append(r.pending, message{verb: look}) // finds our line, removes it and wakes whoever waits
	}
	l.answer(nil)
	m.op.finish(m.step, r)
	if len(r.pending) > 0 {
		r.work()
	} else {
		r.arm()
	}
	return true
}

// shut ends everything of ours.
func (r *resource) shut() {
	for _, p := range r.parts {
		if p.state == granted {
			r.leaveKept(p)
		} else {
			r.leave(p, backends.ErrClosed)
		}
	}
	r.tidy()
	r.turn.acks++
}

// tidy removes what releaseSole has left.
func (r *resource) tidy() {
	if r.leftover {
		r.turn.dirty, r.turn.moved = true, true // the line is in the file only
	}
}
