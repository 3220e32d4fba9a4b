package lkriver

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/manager"
)

// New returns middleware that runs a job while it holds the job's claim. The claim function returns
// false for a job that needs none. It must be safe for concurrent use. The error, a
// *manager.InvalidError, says that claim is nil or an option is bad.
func New(
	claim func(*rivertype.JobRow) (c manager.Claim, ok bool), opts ...Option,
) (river.WorkerMiddlewareFunc, error) {
	if claim == nil {
		return nil, &manager.InvalidError{Field: "claim", Value: nil, Want: "not nil"}
	}
	c := config{snooze: 5 * time.Second}
	for _, o := range opts {
		if o.apply == nil {
			return nil, &manager.InvalidError{Field: "option", Value: "zero", Want: "one made by this package"}
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
		wanted, ok := claim(job)
		if !ok {
			return work(ctx)
		}
		ran, err := c.how.Do(ctx, wanted, work)
		if !ran && hold.Temporary(err) {
			return &NotRunError{Kind: job.Kind, Err: err, snooze: river.JobSnooze(c.snooze)}
		}
		return err
	}, nil
}

// A NotRunError says that a job did not run, because its claim was busy or the store was out of
// reach. River snoozes the job and reports no error. Middleware before this one sees the error, and
// may log it.
type NotRunError struct {
	Kind string // of the job
	Err  error  // of the claim: manager.ErrBusy, manager.ErrUnavailable, …

	snooze error
}

func (e *NotRunError) Error() string { return "job " + e.Kind + " not run: " + e.Err.Error() }

// Unwrap returns Err, and what makes River snooze the job.
func (e *NotRunError) Unwrap() []error { return []error{e.Err, e.snooze} }

// An Option configures middleware. Options are made by the With functions.
type Option struct{ apply func(*config) error }

type config struct {
	how    hold.How
	snooze time.Duration
}

// WithSnooze sets when River tries a job again that did not run. Default: five seconds. Range: 0 or
// more.
func WithSnooze(d time.Duration) Option {
	return Option{func(c *config) error {
		c.snooze = d
		return atLeast0("snooze", d)
	}}
}

// WithWait bounds how long a job waits for its claim, besides its context. Default: 0, no wait.
// Range: 0 or more.
func WithWait(d time.Duration) Option {
	return Option{func(c *config) error {
		c.how.Wait = d
		return atLeast0("wait", d)
	}}
}

// WithAcquire acquires claims with opts. A bad option fails each job. Default: no options.
func WithAcquire(opts ...manager.AcquireOption) Option {
	return Option{func(c *config) error {
		c.how.Options = append(c.how.Options, opts...)
		return nil
	}}
}

func atLeast0(field string, d time.Duration) error {
	if d < 0 {
		return &manager.InvalidError{Field: field, Value: d, Want: "0 or more"}
	}
	return nil
}
