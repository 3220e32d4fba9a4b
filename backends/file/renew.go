package file

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Renew reserves more tokens for grants, and tells which have ended and which are waited for. There is no validity to
// prolong: a grant lasts until it is released or its process ends.
func (b *Backend) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	answers := make([]backends.Renewed, len(rs))
	for i := range rs {
		answers[i] = b.renewOne(ctx, &rs[i])
	}
	return answers
}

func (b *Backend) renewOne(ctx context.Context, rn *backends.Renewal) backends.Renewed {
	if b.closing.Load() {
		return backends.Renewed{Err: wrap("renew", "", backends.ErrClosed)}
	}
	name := rn.Grant.Resource.Name
	err := rn.Check(capabilities)
	if err == nil {
		err = ended(ctx)
	}
	c := b.newCall()
	c.query = &query{renewal: *rn}
	if err == nil {
		_, err = b.ask(ctx, name, renew, c)
	}
	if err != nil {
		return backends.Renewed{Err: wrap("renew", name, err)}
	}
	return c.query.renewed
}

func (r *resource) renew(m *call) {
	r.reply(m)
	r.checkPlace()
	c, err := r.held(m.query.renewal.Grant)
	if err != nil {
		m.err = err
		return
	}
	m.query.renewed = backends.Renewed{Tokens: m.query.renewal.Tokens, Contended: r.tab.contended(r.b.id)}
	if n := m.query.renewal.Tokens; n > 0 {
		m.query.renewed.Token = r.mint(n, time.Now())
		c.last = r.tab.token
		r.turn.dirty = true
		r.turn.undone = append(r.turn.undone, m)
	}
}
