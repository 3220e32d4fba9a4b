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
		err = backends.Ended(ctx)
	}
	q := &query{renewal: *rn}
	if err == nil {
		err = b.ask(ctx, name, renew, q)
	}
	if err != nil {
		return backends.Renewed{Err: wrap("renew", name, err)}
	}
	return q.renewed
}

func (r *resource) renew(q *query) {
	r.turn.queries = append(r.turn.queries, q)
	r.checkPlace()
	g := q.renewal.Grant
	p, err := r.held(&release{id: g.ID, name: r.name, token: g.Token})
	if err != nil {
		q.err = err
		return
	}
	q.renewed = backends.Renewed{Tokens: q.renewal.Tokens, Contended: r.tab.Contended(r.b.id)}
	if n := q.renewal.Tokens; n > 0 {
		q.renewed.Token = r.mint(n, time.Now())
		p.last = r.tab.Token
		r.turn.dirty, q.writes = true, true
	}
}
