package primitives

import (
	"context"
	"errors"
)

// ErrTooLarge is the error of an acquire of more permits than the semaphore has. It comes at once, or
// when the semaphore shrinks while the acquire waits. Nothing is held.
var ErrTooLarge = errors.New("primitives: more permits than the capacity")

var errNilContext = errors.New("primitives: nil context")

// contextError returns ctx.Err() itself, or an error that is both it and the cause of ctx.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || cause == err { //nolint:errorlint // the same value, not the same kind
		return err
	}
	return &causedError{err, cause}
}

// A causedError is a context error whose cause says more.
type causedError struct{ err, cause error }

func (e *causedError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *causedError) Unwrap() []error { return []error{e.err, e.cause} }
