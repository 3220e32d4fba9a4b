package file

import (
	"bytes"
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Release gives a grant back and wakes the next waiters, and no others. It does so also when ctx has ended. A grant that is
// not held any more is an error that wraps [backends.ErrLost], and nothing changes.
//
// An error that wraps [backends.ErrUnavailable] says that the table could not be written: the kernel's lock is free all
// the same, and the table follows as soon as it can.
func (b *Backend) Release(ctx context.Context, g backends.Grant) error {
	c := b.newRelease(g)
	heard, err := b.ask(ctx, g.Resource.Name, release, c)
	if heard {
		b.finishRelease(c)
	}
	return wrap("release", g.Resource.Name, err)
}

func notHeld(g backends.Grant) error {
	return &backends.LostError{Name: g.Resource.Name, Token: g.Token, Reason: backends.NotOwner}
}

// newRelease returns a call that gives g back. It may have served before.
func (b *Backend) newRelease(g backends.Grant) *call {
	b.made()
	c, _ := b.releases.Get().(*call)
	if c == nil {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.grant = g
	return c
}

// finishRelease gives such a call back when it was answered, or never sent.
func (b *Backend) finishRelease(c *call) {
	*c = call{done: c.done}
	b.releases.Put(c)
}

// ask sends a call to its resource, which answers soon, and returns the error of the answer. If
// heard is false there is no answer yet, and the call belongs to the resource. A name without a
// live resource has no grants: ask says so without opening its files.
func (b *Backend) ask(ctx context.Context, name string, v verb, c *call) (heard bool, err error) {
	for !b.closing.Load() {
		r, _ := b.resources.Load(stem(name))
		res, _ := r.(*resource)
		switch {
		case res != nil:
		case v == release:
			return true, notHeld(c.grant)
		case v == renew:
			return true, notHeld(c.query.renewal.Grant)
		default:
			res = b.resource(name)
		}
		res.actor.Deliver(message{verb: v, call: c})
		if err := c.hear(ctx); err != nil {
			return false, err
		}
		if c.err != errRetired { //nolint:errorlint // ours, unwrapped
			return true, c.err
		}
		c.err, c.state, c.answered = nil, fresh, false // answered and ours again: the next resource's turn
	}
	return true, backends.ErrClosed
}

// hear waits for the answer, or for the end of ctx: the answer takes only as long as another process takes to change the
// table, but that one may have been stopped in the middle. What was asked for then happens later.
func (c *call) hear(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		select { // an answer that has come wins
		case <-c.done:
		default:
			return ended(ctx)
		}
	}
	return nil
}

// held returns the call that a grant came from, if it is still held.
func (r *resource) held(g backends.Grant) (*call, error) {
	c := r.calls[g.ID.Seq]
	if c == nil || c.state != granted || g.ID.Client != r.b.id || g.Token != c.grant.Token {
		return nil, notHeld(g)
	}
	return c, nil
}

func (r *resource) release(m *call) {
	r.reply(m)
	c, err := r.held(m.grant)
	if err != nil {
		m.err = err
		return
	}
	r.end(c)
	drop(&r.tab.holders, c.id)
	r.turn.dirty, r.turn.moved = true, true
	r.turn.undone = append(r.turn.undone, m)
}

// letGo releases a grant of everything, for which nobody waits, at less than half the price: it unlocks the kernel's lock
// and leaves the line in the table, to be overwritten by our next grant or removed when the resource retires. It reports
// whether it did. The kernel knows that the line means nothing, and everybody who finds such a line in the way asks it, about the
// very file that the line names.
//
// Nobody is left waiting. We unlock, and then look whether anybody has written to the table since we did. A process that
// begins to wait writes its ticket, and then tries the kernel's lock once more. Whichever is first, one of the two
// finds out about the other.
func (r *resource) letGo(m *call) bool {
	if r.locking || r.unsaved || len(r.pending) > 0 || len(r.calls) != 1 || r.kernel.mode != exclusive {
		return false
	}
	c, err := r.held(m.grant)
	if err != nil || len(r.tab.waiters) > 0 || r.b.lingering.Load() >= mostLingering {
		return false
	}
	r.end(c)
	drop(&r.tab.holders, c.id)
	r.dropKernel()
	r.leftover = true
	n, err := readAt(r.table.fd, r.table.buf[:page], 0)
	if err != nil || !bytes.Equal(r.table.buf[:n], r.table.raw) {
		r.pending = append(r.pending, message{verb: look}) // finds our line, removes it and wakes whoever waits
	}
	m.answer()
	return true
}

// afterLetGo ends the turn of a letGo.
func (r *resource) afterLetGo() {
	if len(r.pending) > 0 {
		r.work()
	} else {
		r.stand()
	}
}

// shut ends everything of ours.
func (r *resource) shut() {
	for _, c := range r.calls {
		if c.state == waiting {
			r.refuseCall(c, backends.ErrClosed)
			drop(&r.tab.waiters, c.id)
		} else {
			drop(&r.tab.holders, c.id)
		}
		r.end(c)
		r.turn.dirty, r.turn.moved = true, true
	}
	r.tidy()
	r.turn.acks++
}

// tidy removes what letGo has left.
func (r *resource) tidy() {
	if r.leftover {
		r.turn.dirty, r.turn.moved = true, true // the line is in the file only
	}
}
