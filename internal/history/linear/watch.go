package linear

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Watch returns b with its acquires, tries, releases and renewals logged as those of the given client. Grants
// that expire, are broken, or end with Close are not known to the model: keep them out of what is watched.
func Watch(b backends.Backend, client int, log *Log) backends.Backend {
	return &watched{Backend: b, client: client, log: log}
}

type watched struct {
	backends.Backend
	client int
	log    *Log
}

func (w *watched) op(verb Verb, r backends.Resource) Op {
	return Op{Client: w.client, Name: r.Name, Capacity: r.Capacity, Verb: verb, Call: w.log.now()}
}

func (w *watched) Acquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return w.request(ctx, Acquire, r, w.Backend.Acquire)
}

func (w *watched) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	return w.request(ctx, Try, r, w.Backend.TryAcquire)
}

func (w *watched) request(ctx context.Context, verb Verb, r backends.Request,
	call func(context.Context, backends.Request) (backends.Grant, error),
) (backends.Grant, error) {
	op := w.op(verb, r.Resource)
	op.Weight = r.Weight
	g, err := call(ctx, r)
	op.Token, op.Tokens = g.Token, g.Tokens
	switch {
	case err == nil:
		op.Outcome = OK
	case errors.Is(err, backends.ErrBusy):
		op.Outcome = Busy
	default:
		op.Outcome = Failed // an error means that nothing is held
	}
	w.log.add(op)
	return g, err
}

func (w *watched) Release(ctx context.Context, g backends.Grant) error {
	op := w.op(Release, g.Resource)
	op.Grant = g.Token
	err := w.Backend.Release(ctx, g)
	op.Outcome = outcome(err)
	w.log.add(op)
	return err
}

func (w *watched) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	ops := make([]Op, len(rs))
	for i, r := range rs {
		ops[i] = w.op(Renew, r.Grant.Resource)
		ops[i].Grant = r.Grant.Token
	}
	answers := w.Backend.Renew(ctx, rs)
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
