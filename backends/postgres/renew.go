package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

const (
	renewMost  = 4096                  // grants in one statement
	renewTries = 5                     // of a grant that another session had locked
	renewPause = 10 * time.Millisecond // before the next
)

// What renew answers; see migrations.
const (
	renewedEnded   = 0
	renewedOK      = 1
	renewedUnknown = 2
)

// renewed is the answer to one renewal.
type renewed struct {
	id     backends.GrantID
	code   int64
	others bool
	first  int64 // of the new tokens
	sent   time.Time
	err    error
}

// Renew prolongs grants, up to 4096 in one statement. Only the server's word that a grant is not held
// is ErrLost; every other failure is ErrUnavailable, and the grant may be renewed again.
func (b *Backend) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	answers := make([]backends.Renewed, len(rs))
	todo := make([]int, 0, len(rs))
	valid := make([]backends.Renewal, 0, len(rs)) // a copy: a call that is given up goes on with it
	for i := range rs {
		if err := rs[i].Check(capabilities); err != nil {
			answers[i].Err = wrap("renew", "", err)
		} else {
			todo, valid = append(todo, i), append(valid, rs[i])
		}
	}
	if len(todo) == 0 {
		return answers
	}
	var results []renewed
	err := b.do(ctx, func() {
		results = b.renewAll(limitOf(ctx), valid, func(r backends.Renewal) time.Duration { return life(r.TTL) })
	})
	if err != nil {
		for _, i := range todo {
			answers[i].Err = wrap("renew", rs[i].Grant.Resource.Name, err)
		}
		return answers
	}
	b.tell(books{results, valid})
	for j, i := range todo {
		answers[i] = results[j].answer(rs[i])
	}
	return answers
}

// limitOf bounds the statements of a renewal: a connection that hangs is worth less than the leases.
func limitOf(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(callTime, time.Until(deadline))
	}
	return callTime
}

// renewAll asks the server, in batches, and again for what it could not tell.
func (b *Backend) renewAll(limit time.Duration, rs []backends.Renewal, life func(backends.Renewal) time.Duration) []renewed {
	results := make([]renewed, len(rs))
	todo := make([]int, len(rs))
	for i := range todo {
		todo[i] = i
		results[i] = renewed{id: rs[i].Grant.ID, code: renewedUnknown}
	}
	end := time.Now().Add(limit)
	for n := 1; len(todo) > 0 && n <= renewTries; n++ {
		for part := range slices.Chunk(todo, renewMost) {
			b.renewPart(time.Until(end), rs, part, results, life)
		}
		todo = slices.DeleteFunc(todo, func(i int) bool {
			return results[i].code != renewedUnknown || results[i].err != nil
		})
		if len(todo) > 0 && !sleep(b.ctx, renewPause) {
			break
		}
	}
	return results
}

func (b *Backend) renewPart(
	limit time.Duration, rs []backends.Renewal, part []int, results []renewed, life func(backends.Renewal) time.Duration,
) {
	names := make([][]byte, len(part))
	ids, lives, tokens := make([]int64, len(part)), make([]int64, len(part)), make([]int64, len(part))
	for j, i := range part {
		g := &rs[i].Grant
		names[j], ids[j] = []byte(g.Resource.Name), b.seqOf(g.ID)
		lives[j], tokens[j] = life(rs[i]).Microseconds(), int64(rs[i].Tokens)
	}
	a := b.ask(limit, nil, b.call.renew, int64(b.id), names, ids, lives, tokens)
	const each = 3
	if a.err == nil && len(a.numbers) != each*len(part) {
		a.err = b.classify(errReply)
	}
	for j, i := range part {
		r := &results[i]
		r.sent, r.err = a.sent, a.err
		if a.err == nil {
			row := a.numbers[each*j:]
			r.code, r.others, r.first = row[0], row[1] != 0, row[2]
		}
	}
}

// seqOf is the number of a grant; a grant of another client is none of ours.
func (b *Backend) seqOf(id backends.GrantID) int64 {
	if id.Client != b.id {
		return noSeq
	}
	return int64(id.Seq)
}

// answer says what became of a renewal.
func (r renewed) answer(rn backends.Renewal) backends.Renewed {
	err := r.err
	switch {
	case err != nil:
	case r.code == renewedEnded:
		err = lost(rn.Grant, backends.NotOwner)
	case r.code != renewedOK && r.code != renewedUnknown, rn.Tokens > 0 && r.code == renewedOK && uint64(max(0, r.first)) <= rn.Grant.Token:
		err = fmt.Errorf("%w: %w: code %d, token %d", backends.ErrUnavailable, errReply, r.code, r.first)
	case r.code == renewedUnknown:
		err = fmt.Errorf("%w: another session has it locked", backends.ErrUnavailable)
	}
	if err != nil {
		return backends.Renewed{Err: wrap("renew", rn.Grant.Resource.Name, err)}
	}
	valid := backends.ValidUntil(r.sent, rn.TTL)
	if valid.Before(rn.Grant.ValidUntil) {
		valid = rn.Grant.ValidUntil
	}
	return backends.Renewed{ValidUntil: valid, Token: uint64(r.first), Tokens: rn.Tokens, Contended: r.others}
}

// books is what renewals found out.
type books struct {
	results []renewed
	rs      []backends.Renewal
}

func (m books) on(cl *client) {
	for i, r := range m.results {
		h := cl.heldBy(r.id)
		switch {
		case h == nil || r.err != nil:
		case r.code == renewedOK:
			h.contended = r.others
			h.prolong(life(m.rs[i].TTL))
		case r.code == renewedEnded:
			cl.drop(r.id.Seq)
		}
	}
}
