package actor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

var (
	// ErrStopped reports that the actor takes no more messages, or ended before it answered.
	// Where the actor failed, the error also wraps the failure, so that
	// errors.As finds the [*PanicError] that brought it down.
	ErrStopped = errors.New("actor: stopped")

	// ErrMailboxFull reports that [Ref.TryTell] found no room. Nothing was sent.
	ErrMailboxFull = errors.New("actor: mailbox full")

	// ErrNoReply reports that an ask was handled and will never be answered:
	// the handler returned without [Reply.Send], [Reply.Fail] or [Reply.Defer].
	ErrNoReply = errors.New("actor: handled without a reply")
)

// errGoexit is the failure of a handler or task that called runtime.Goexit:
// there is no panic to report, and there will be no answer either.
var errGoexit = fmt.Errorf("runtime.Goexit in a handler: %w", ErrNoReply)

// A PanicError is a panic in a handler, a start function or a task, turned into an error.
type PanicError struct {
	// Value is what panic was called with.
	Value any
	// Stack is the goroutine's stack at the panic, as debug.Stack prints it.
	Stack []byte
}

// Error gives the panic's value. It leaves the stack out: see Stack.
func (e *PanicError) Error() string { return fmt.Sprintf("actor: panic: %v", e.Value) }

// Unwrap returns the value the handler panicked with where that is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// newPanicError must be called from the deferred function that recovered v,
// so that the stack is still that of the panic. A nil v means runtime.Goexit.
func newPanicError(v any) *PanicError {
	if v == nil {
		v = errGoexit
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

var (
	errNilContext = errors.New("actor: nil context")
	errNoBuild    = errors.New("actor: ask needs a build function")
)

// ctxError says why ctx is done: ctx.Err() stays visible to errors.Is,
// and a cause that says more is wrapped beside it. A nil context was never any good.
func ctxError(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
