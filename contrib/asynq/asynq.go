package lkasynq

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/manager"
)

// New returns middleware that runs a task while it holds its claim. The claim function returns false
// for a task that needs none. It must be safe for concurrent use. The error is a
// *manager.InvalidError.
func New(claim func(*asynq.Task) (c manager.Claim, ok bool), opts ...Option) (asynq.MiddlewareFunc, error) {
	if claim == nil {
		return nil, &manager.InvalidError{Field: "claim", Value: nil, Want: "not nil"}
	}
	var how hold.How
	for _, o := range opts {
		if o.apply == nil {
			return nil, &manager.InvalidError{Field: "option", Value: "zero", Want: "one made by this package"}
		}
		if err := o.apply(&how); err != nil {
			return nil, err
		}
	}
	return func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
			wanted, ok := claim(t)
			if !ok {
				return next.ProcessTask(ctx, t)
			}
			ran, err := how.Do(ctx, wanted, func(ctx context.Context) error { return next.ProcessTask(ctx, t) })
			if !ran && hold.Temporary(err) {
				return &NotRunError{Type: t.Type(), Err: err}
			}
			return err
		})
	}, nil
}

// A NotRunError says that a task did not run, because its claim could not be had. A retry may have
// it.
type NotRunError struct {
	Type string // of the task
	Err  error  // of the claim: manager.ErrBusy, manager.ErrUnavailable, …
}

func (e *NotRunError) Error() string { return "task " + e.Type + " not run: " + e.Err.Error() }

// Unwrap returns Err.
func (e *NotRunError) Unwrap() error { return e.Err }

// IsFailure is for asynq.Config: a task that did not run has not failed, so it loses no retry.
func IsFailure(err error) bool {
	var not *NotRunError
	return err != nil && !errors.As(err, &not)
}

// RetryDelay is for asynq.Config: a task that did not run is retried after d, and one that failed
// after what otherwise returns. If otherwise is nil, it is asynq.DefaultRetryDelayFunc, as in
// asynq.Config.
func RetryDelay(d time.Duration, otherwise asynq.RetryDelayFunc) asynq.RetryDelayFunc {
	if otherwise == nil {
		otherwise = asynq.DefaultRetryDelayFunc
	}
	return func(n int, err error, t *asynq.Task) time.Duration {
		if IsFailure(err) {
			return otherwise(n, err, t)
		}
		return d
	}
}

// An Option configures middleware. Options are made by the With functions.
type Option struct{ apply func(*hold.How) error }

// WithWait has a task wait for its claim for d at most, or until its context ends. Default: 0, not
// at all.
func WithWait(d time.Duration) Option {
	return Option{func(h *hold.How) error {
		h.Wait = d
		if d < 0 {
			return &manager.InvalidError{Field: "wait", Value: d, Want: "0 or more"}
		}
		return nil
	}}
}

// WithAcquire has claims acquired with opts. Bad ones fail each task.
func WithAcquire(opts ...manager.AcquireOption) Option {
	return Option{func(h *hold.How) error {
		h.Options = append(h.Options, opts...)
		return nil
	}}
}
