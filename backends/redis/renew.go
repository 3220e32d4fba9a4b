package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// renewNames is how many grants one script call renews, where one call may name several: the server does
// nothing else meanwhile, for about half a millisecond.
const renewNames = 128

// Renew prolongs grants: 128 in one command on a single server, one each in a cluster, and all commands of a call in one
// round trip. Only the server's word that a grant is not held is ErrLost; every other failure is ErrUnavailable, and the
// grant may be renewed again.
func (b *Backend) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	answers := make([]backends.Renewed, len(rs))
	todo := make([]int, 0, len(rs))
	for i := range rs {
		if err := rs[i].Check(capabilities); err != nil {
			answers[i].Err = wrap("renew", "", err)
		} else {
			todo = append(todo, i)
		}
	}
	if len(todo) == 0 {
		return answers
	}
	sent := time.Now()
	var results []result
	// What a call that is given up was asked for must not change under it.
	rs = slices.Clone(rs)
	if err := b.call(ctx, func(ctx context.Context) {
		results = b.renew(ctx, rs, todo)
	}); err != nil {
		for _, i := range todo {
			answers[i].Err = wrap("renew", rs[i].Grant.Resource.Name, err)
		}
		return answers
	}
	news := make(books, len(todo))
	for j, i := range todo {
		g := rs[i].Grant
		answers[i] = b.renewed(rs[i], sent, results[j])
		news[j] = entry{g.ID, rs[i].TTL, answers[i]}
		answers[i].Err = wrap("renew", g.Resource.Name, blame(ctx, answers[i].Err))
	}
	b.client.actor.Deliver(news)
	return answers
}

func (b *Backend) renew(ctx context.Context, rs []backends.Renewal, todo []int) []result {
	size := 1
	if b.conns.batch {
		size = renewNames
	}
	var calls []call
	for part := range slices.Chunk(todo, size) {
		c := call{keys: make([]any, 0, 3*len(part)), args: b.header(3 * len(part))}
		for _, i := range part {
			g := rs[i].Grant
			c.keys = append(c.keys, b.address(g.Resource.Name).keys...)
			c.args = append(c.args, idText("", g.ID), micros(rs[i].TTL+b.opt.grace), strconv.Itoa(rs[i].Tokens))
		}
		calls = append(calls, c)
	}
	if b.opt.replicas == 0 {
		return spread(b.evalAll(ctx, b.conns.urgent, renewScript, calls), len(todo), size)
	}
	answers := make([]result, len(calls))
	for i, c := range calls {
		answers[i] = b.eval(ctx, b.conns.urgent, renewScript, c)
	}
	return spread(answers, len(todo), size)
}

func (b *Backend) renewed(rn backends.Renewal, sent time.Time, res result) backends.Renewed {
	r, err := asReply(res.val, res.err)
	if err != nil {
		return backends.Renewed{Err: b.classify(err)}
	}
	switch code := r.int(0); {
	case code == codeBusy:
		return backends.Renewed{Err: lost(rn.Grant, backends.NotOwner)}
	case code != codeGranted:
		return backends.Renewed{Err: fmt.Errorf("%w: %w: code %d", backends.ErrUnavailable, errReply, code)}
	}
	token, ok := r.token(1)
	if rn.Tokens > 0 && (!ok || token <= rn.Grant.Token) {
		return backends.Renewed{Err: fmt.Errorf("%w: %w: token %d", backends.ErrUnavailable, errReply, r.int(1))}
	}
	valid := backends.ValidUntil(sent, rn.TTL)
	if valid.Before(rn.Grant.ValidUntil) {
		valid = rn.Grant.ValidUntil
	}
	return backends.Renewed{ValidUntil: valid, Token: token, Tokens: rn.Tokens, Contended: r.int(2) != 0}
}

// books is what renewals found out.
type books []entry

type entry struct {
	id     backends.GrantID
	ttl    time.Duration
	answer backends.Renewed
}

func (m books) on(cl *client) {
	for _, e := range m {
		if e.id.Client != cl.b.id {
			continue
		}
		h := cl.held[e.id.Seq]
		switch {
		case h == nil:
		case e.answer.Err == nil:
			h.contended = e.answer.Contended
			h.prolong(cl.b.life(e.ttl))
		case isLost(e.answer.Err):
			cl.drop(e.id.Seq)
		}
	}
}
