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
	c := newCall()
	c.grant = g
	return wrap("release", g.Resource.Name, b.ask(ctx, g.Resource.Name, release, &c))
}

// ask sends a call to its resource, which answers soon, and returns the error of the answer. A call that must be repeated
// is replaced by a new one.
func (b *Backend) ask(ctx context.Context, name string, v verb, c **call) error {
	if b.closing.Load() {
		return backends.ErrClosed
	}
	for {
		r := b.resource(name)
		r.actor.Deliver(message{verb: v, call: *c})
		// The answer is waited for only as long as another process takes to change the table. If it was stopped in the
		// middle ctx may end first; what was asked for then happens later, and the call is nobody's.
		select {
		case <-(*c).done:
		default:
			select {
			case <-(*c).done:
			case <-ctx.Done():
				select { // an answer that has come wins
				case <-(*c).done:
				default:
					return ended(ctx)
				}
			}
		}
		if (*c).err != errRetired { //nolint:errorlint // ours, unwrapped
			return (*c).err
		}
		again := newCall()
		again.grant, again.renewal = (*c).grant, (*c).renewal
		*c = again
	}
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
