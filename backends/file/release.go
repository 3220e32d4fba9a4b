package file

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Release gives a grant back and wakes the next waiters, and no others. It does so also when ctx has ended. A grant that is
// not held any more is an error that wraps [backends.ErrLost], and nothing changes.
//
// An error that wraps [backends.ErrUnavailable] says that the table could not be written: the kernel's lock is free all
// the same, and the table follows as soon as it can.
func (b *Backend) Release(ctx context.Context, g backends.Grant) error {
	c, _ := b.releases.Get().(*call)
	if c == nil {
		c = &call{done: make(chan struct{}, 1)}
	}
	c.grant = g
	heard, err := b.ask(ctx, g.Resource.Name, release, c)
	if heard {
		*c = call{done: c.done}
		b.releases.Put(c)
	}
	return wrap("release", g.Resource.Name, err)
}

// ask sends a call to its resource, which answers soon, and returns the error of the answer. If heard is false there is no
// answer yet, and the call belongs to the resource.
func (b *Backend) ask(ctx context.Context, name string, v verb, c *call) (heard bool, err error) {
	for !b.closing.Load() {
		b.resource(name).actor.Deliver(message{verb: v, call: c})
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
		return nil, &backends.LostError{Name: r.name, Token: g.Token, Reason: backends.NotOwner}
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
	r.turn.acks++
}
