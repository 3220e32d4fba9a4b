package linear

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// Watch returns b with its acquires, tries, releases and renewals logged as those of the given
// client. Grants that expire, are broken, or end with Close are not known to the model: keep them
// out of what is watched.
func Watch(b backends.Backend, client int, log *Log) backends.Backend {
	w := &watched{client: client, log: log}
	return &intercept.Backend{Backend: b, OnStart: w.start, OnRenew: w.renew}
}

type watched struct {
	client int
	log    *Log
}

func (w *watched) op(verb Verb, r backends.Resource) Op {
	return Op{Client: w.client, Name: r.Name, Capacity: r.Capacity, Verb: verb, Call: w.log.now()}
}

// start logs each request and each release of an operation as a call of its own, from the start to
// its answer.
func (w *watched) start(op *backends.Op, start func(*backends.Op) backends.Work) backends.Work {
	verb := Try
	if op.Wait {
		verb = Acquire
	}
	acquires, releases := make([]Op, len(op.Acquire)), make([]Op, len(op.Release))
	for i, r := range op.Acquire {
		acquires[i] = w.op(verb, r.Resource)
		acquires[i].Weight = r.Weight
	}
	for i, g := range op.Release {
		releases[i] = w.op(Release, g.Resource)
		releases[i].Grant = g.Token
	}
	granted, released := op.Granted, op.Released
	op.Granted = func(i int, g backends.Grant, err error) {
		a := acquires[i]
		a.Token, a.Tokens = g.Token, g.Tokens
		switch {
		case err == nil:
			a.Outcome = OK
		case errors.Is(err, backends.ErrBusy) && len(acquires) == 1:
			a.Outcome = Busy
		default: // nothing is held; of several names, nothing tells which was busy
			a.Outcome = Failed
		}
		w.log.add(a)
		granted(i, g, err)
	}
	op.Released = func(i int, err error) {
		r := releases[i]
		r.Outcome = outcome(err)
		w.log.add(r)
		released(i, err)
	}
	return start(op)
}

func (w *watched) renew(ctx context.Context, rs []backends.Renewal, renew intercept.Renew) []backends.Renewed {
	ops := make([]Op, len(rs))
	for i, r := range rs {
		ops[i] = w.op(Renew, r.Grant.Resource)
		ops[i].Grant = r.Grant.Token
	}
	answers := renew(ctx, rs)
	for i, a := range answers {
		ops[i].Token, ops[i].Tokens, ops[i].Outcome = a.Token, a.Tokens, outcome(a.Err)
		w.log.add(ops[i])
	}
	return answers
}

func outcome(err error) Outcome {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, backends.ErrLost):
		return Lost
	case errors.Is(err, backends.ErrInvalid), errors.Is(err, backends.ErrClosed):
		return Failed
	default:
		return Unknown
	}
}
