package lkgrpc

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/manager"
)

// An Option configures an interceptor. Options are made by the With functions.
type Option struct{ apply func(*config) error }

type config struct {
	how    hold.How
	busy   codes.Code
	retry  time.Duration
	refuse func(error) error
}

// newConfig checks what both interceptors are given.
func newConfig(claim Claimer, opts []Option) (*config, error) {
	if err := need(claim != nil, "claim", nil, "not nil"); err != nil {
		return nil, err
	}
	c := &config{how: hold.How{Wait: hold.Forever}, busy: codes.Aborted, retry: time.Second}
	for _, o := range opts {
		if err := need(o.apply != nil, "option", "zero", "one made by this package"); err != nil {
			return nil, err
		}
		if err := o.apply(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// WithWait bounds the wait of a call by d, besides its context. A call does not wait if d is 0.
// Default: only the context bounds the wait. Range: 0 or more.
func WithWait(d time.Duration) Option {
	return Option{func(c *config) error {
		c.how.Wait = d
		return need(d >= 0, "wait", d, "0 or more")
	}}
}

// WithBusyCode sets the code of the answer to a call whose claim is busy, for instance
// codes.ResourceExhausted. Default: codes.Aborted. Range: every code but codes.OK.
func WithBusyCode(code codes.Code) Option {
	return Option{func(c *config) error {
		c.busy = code
		return need(code > codes.OK && code <= codes.Unauthenticated, "code", code, "1 to 16")
	}}
}

// WithRetryAfter sets when a client that got no turn may try again. Default: one second. Range: a
// millisecond or more.
func WithRetryAfter(d time.Duration) Option {
	return Option{func(c *config) error {
		c.retry = d
		return need(d >= time.Millisecond, "retry after", d, "a millisecond or more")
	}}
}

// WithErrorHandler ends a call that gets no turn with the error that f returns. f gets the error of
// [manager.Claim.Acquire]; after a wait as long as [WithWait] it wraps manager.ErrBusy, too. f must
// be safe for concurrent use. Default: the answers of the package comment.
func WithErrorHandler(f func(error) error) Option {
	return Option{func(c *config) error {
		c.refuse = f
		return need(f != nil, "error handler", nil, "not nil")
	}}
}

// WithAcquire acquires claims with opts. A bad option fails each call. Default: no options.
func WithAcquire(opts ...manager.AcquireOption) Option {
	return Option{func(c *config) error {
		c.how.Options = append(c.how.Options, opts...)
		return nil
	}}
}

func need(ok bool, field string, value any, want string) error {
	if ok {
		return nil
	}
	return &manager.InvalidError{Field: field, Value: value, Want: want}
}
