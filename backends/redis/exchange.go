package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// exchange is what an operation sends: a command for each slot. It is the message of the answers.
type exchange struct {
	*operation
	calls []reply
	one   [1]reply // room for one
	sent  time.Time
}

// reply is a command for parts in one slot, and its answer.
type reply struct {
	parts []part
	call  call
	result
	rows []any
	one  [1]any // room for one
}

func (o *operation) exchange(parts []part) *exchange {
	e := &exchange{operation: o}
	e.calls = e.one[:0]
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].at.slot == parts[0].at.slot {
			n++
		}
		e.calls = append(e.calls, reply{parts: parts[:n], call: o.call(parts[:n])})
		parts = parts[n:]
	}
	return e
}

// call makes the command for some parts; see op.lua.
func (o *operation) call(parts []part) call {
	k := call{keys: slices.Clip(parts[0].at.keys), args: make([]any, 0, 1+6*len(parts))}
	if pace := o.b.pace.Load(); o.wait {
		k.args = append(k.args, pace.wait)
	} else {
		k.args = append(k.args, pace.try)
	}
	for i, p := range parts {
		if i > 0 {
			k.keys = append(k.keys, p.at.keys...)
		}
		k.args = append(k.args, p.at.text)
		for _, j := range p.releases {
			k.args = append(k.args, endOf(o.releases[j].ID, o.releases[j].AtLeast))
		}
		switch {
		case p.request >= 0:
			k.args = o.requests[p.request].args(k.args)
		case i < len(parts)-1:
			k.args = append(k.args, "")
		}
	}
	return k
}

// perform sends the commands for a caller that waits, and tells the client of the answers.
func (e *exchange) perform(ctx context.Context, c redis.UniversalClient) {
	e.send(ctx, c)
	for _, r := range e.calls {
		if err := expired(ctx); r.err != nil && err != nil { // before it is taken for a failure of the server
			e.b.tell(cancelOp{e.operation, err, true})
			break
		}
	}
	e.b.tell(e)
}

// againTime bounds a command for which no caller waits.
const againTime = time.Second

// send has a task send the commands.
func (cl *client) send(e *exchange) {
	cl.task(func() message {
		ctx, cancel := context.WithTimeout(context.Background(), againTime)
		defer cancel()
		e.send(ctx, cl.b.conns.calls)
		return e
	})
}

func (e *exchange) send(ctx context.Context, c redis.UniversalClient) {
	e.sent = time.Now()
	for i := range e.calls {
		r := &e.calls[i]
		r.result = e.b.eval(ctx, c, r.script(), r.call)
		if r.err != nil && r.refused() {
			e.sendReleases(ctx, c, r)
		}
	}
	for i := range e.calls {
		e.calls[i].decode(e.b)
	}
}

// script returns the script to be called: one that only releases needs no memory.
func (r *reply) script() *script {
	if slices.ContainsFunc(r.parts, func(p part) bool { return p.request >= 0 }) {
		return opScript
	}
	return releaseScript
}

// refused reports whether the server has refused to run a command that releases and requests.
func (r *reply) refused() bool {
	var said redis.Error
	return errors.As(r.err, &said) && r.script() == opScript &&
		slices.ContainsFunc(r.parts, func(p part) bool { return p.releases != nil })
}

// sendReleases sends the releases of a command that was refused alone: they are not to suffer for
// the requests, which may need memory that the server does not have.
func (e *exchange) sendReleases(ctx context.Context, c redis.UniversalClient, r *reply) {
	alone := reply{}
	rest := slices.Clone(r.parts)
	for i, p := range r.parts {
		if p.releases != nil {
			alone.parts = append(alone.parts, part{at: p.at, releases: p.releases, request: -1})
			rest[i].releases = nil
		}
	}
	r.parts = rest
	alone.call = e.call(alone.parts)
	alone.result = e.b.eval(ctx, c, releaseScript, alone.call)
	e.calls = append(e.calls, alone)
}

// decode takes the answer apart: a row for each release, and for the request, of each part.
func (r *reply) decode(b *Backend) {
	n := 0
	for _, p := range r.parts {
		if n += len(p.releases); p.request >= 0 {
			n++
		}
	}
	if rows, ok := r.val.([]any); ok {
		r.rows = rows
	} else {
		r.one[0] = r.val
		r.rows = r.one[:]
	}
	if r.err == nil && len(r.rows) != n {
		r.err = fmt.Errorf("%w: %d rows for %d parts", errReply, len(r.rows), n)
	}
	if r.err != nil {
		r.rows, r.err = make([]any, n), b.classify(r.err)
	}
}

// on takes in the answers: first those to the releases.
func (e *exchange) on(cl *client) {
	for i := range e.calls {
		r := &e.calls[i]
		r.each(func(row any, release, request int) {
			if request < 0 {
				cl.released(e.operation, release, row, r.result)
				return
			}
			q := &e.requests[request]
			q.asking = false
			q.copied = q.copied || r.unsure
		})
	}
	for i := range e.calls {
		r := &e.calls[i]
		r.each(func(row any, _, request int) {
			if request >= 0 {
				cl.answered(&e.requests[request], e.sent, row, r.err)
			}
		})
	}
	if e.busy != nil { // and there is no reason of more weight
		cl.fail(e.operation, nil, e.busy, false)
	}
}

// each calls f for each row: that of a release, or of a request.
func (r *reply) each(f func(row any, release, request int)) {
	k := 0
	for _, p := range r.parts {
		for _, j := range p.releases {
			f(r.rows[k], j, -1)
			k++
		}
		if p.request >= 0 {
			f(r.rows[k], -1, p.request)
			k++
		}
	}
}
