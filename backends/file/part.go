package file

import (
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// partState is how far a request has come. It moves down only.
type partState uint8

const (
	fresh partState = iota
	waiting
	granted
	over // failed, released or lost
)

// part is one request of an operation. After it was granted it stays, as what the resource knows of
// the grant. It belongs to the resource, but for answered.
type part struct {
	op      *operation
	index   int // in the operation
	step    int
	request backends.Request

	id     backends.GrantID
	state  partState
	told   bool          // of contention
	waited bool          // it was queued before its grant
	last   uint64        // of the grant's tokens
	before uint64        // the last token before its grant
	clean  bool          // nothing was to be written before its grant
	token  uint64        // of the grant: the first
	keep   *lockdir.Keep // of the grant: until when its permits stay taken
	others bool          // others waited when it was granted
	err    error

	answered answered
}

// release is one grant that an operation releases.
type release struct {
	op    *operation
	index int
	next  *release // of the same step
	id    backends.GrantID
	name  string
	token uint64
	keep  bool // the permits may stay taken
	err   error

	answered answered
}

// answered says whether an answer has been told. The resource answers when the table is written;
// work whose context ends, a cancel that has waited for long enough, or a failure elsewhere may
// answer before. The first one wins. If that is not the resource's grant, the resource takes the
// grant back, see tell.
type answered struct{ atomic.Bool }

func (a *answered) first() bool { return a.CompareAndSwap(false, true) }

// answer tells the caller, unless it has been told. False: it had.
func (p *part) answer(err error) bool {
	first := p.answered.first()
	switch {
	case !first:
	case err != nil:
		p.op.granted(p.index, backends.Grant{}, wrap(p.op.verb(), p.request.Name, err))
	default:
		p.op.granted(p.index, backends.Grant{
			ID: p.id, Resource: p.request.Resource, Weight: p.request.Weight,
			Token: p.token, Tokens: p.request.Tokens, Contended: p.others, Waited: p.waited,
			AtLeast: p.request.AtLeast,
		}, nil)
	}
	return first
}

func (l *release) answer(err error) {
	if l.answered.first() {
		l.op.released(l.index, wrap("release", l.name, err))
	}
}

func notHeld(g backends.Grant) error {
	return &backends.LostError{Name: g.Resource.Name, Token: g.Token, Reason: backends.NotOwner}
}
