package lkhttp

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/manager"
)

// New returns middleware that runs a handler while it holds the claim of the request. The claim
// function returns false for a request that needs none. It must be safe for concurrent use. The
// error is a *manager.InvalidError.
func New(
	claim func(*http.Request) (c manager.Claim, ok bool), opts ...Option,
) (func(http.Handler) http.Handler, error) {
	if claim == nil {
		return nil, &manager.InvalidError{Field: "claim", Value: nil, Want: "not nil"}
	}
	c := config{how: hold.How{Wait: hold.Forever}, busy: http.StatusConflict, retry: time.Second}
	c.refuse = c.answer
	for _, o := range opts {
		if o.apply == nil {
			return nil, &manager.InvalidError{Field: "option", Value: "zero", Want: "one made by this package"}
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wanted, ok := claim(r)
			if !ok {
				next.ServeHTTP(w, r)
				return
			}
			ran, err := c.how.Do(r.Context(), wanted, func(ctx context.Context) error {
				next.ServeHTTP(w, r.WithContext(ctx))
				return nil
			})
			if !ran {
				c.refuse(w, r, err)
			}
		})
	}, nil
}

// answer tells the client why its request is not served.
func (c *config) answer(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, manager.ErrUnavailable), errors.Is(err, manager.ErrClosed):
		status = http.StatusServiceUnavailable
	case errors.Is(err, manager.ErrBusy), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled): // then mostly nobody reads it
		status = c.busy
	case errors.Is(err, manager.ErrInvalidName):
		status = http.StatusBadRequest
	}
	if status == c.busy || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(c.retry.Seconds()))))
	}
	http.Error(w, http.StatusText(status), status)
}
