package lkhttp

import (
	"net/http"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/manager"
)

// An Option configures middleware. Options are made by the With functions.
type Option struct{ apply func(*config) error }

type config struct {
	how    hold.How
	busy   int
	retry  time.Duration
	refuse func(http.ResponseWriter, *http.Request, error)
}

// WithWait has a request wait no longer than d, and not at all if d is 0. Its context still bounds
// the wait. Default: only its context does.
func WithWait(d time.Duration) Option {
	return Option{func(c *config) error {
		c.how.Wait = d
		return need(d >= 0, "wait", d, "0 or more")
	}}
}

// WithBusyStatus sets the status of the answer to a request that waited in vain, for instance
// http.StatusTooManyRequests. Default: http.StatusConflict. Range: 400 to 599.
func WithBusyStatus(status int) Option {
	return Option{func(c *config) error {
		c.busy = status
		return need(status >= 400 && status <= 599, "status", status, "400 to 599")
	}}
}

// WithRetryAfter sets when a client that got no turn may try again, rounded up to seconds. Default:
// one second. Range: above 0.
func WithRetryAfter(d time.Duration) Option {
	return Option{func(c *config) error {
		c.retry = d
		return need(d > 0, "retry after", d, "above 0")
	}}
}

// WithErrorHandler has requests without their turn answered by f. The error is that of
// [manager.Claim.Acquire], and also manager.ErrBusy after a wait in vain of [WithWait].
func WithErrorHandler(f func(w http.ResponseWriter, r *http.Request, err error)) Option {
	return Option{func(c *config) error {
		c.refuse = f
		return need(f != nil, "error handler", nil, "not nil")
	}}
}

// WithAcquire has claims acquired with opts. Bad ones fail each request.
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
