package manager

import (
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

// The errors of this package wrap one of these or a context's error. They are those of package
// backends, so that errors.Is works with either name.
var (
	ErrBusy        = backends.ErrBusy        // TryAcquire would have to wait
	ErrLost        = backends.ErrLost        // the lease ended before its release; typed: *LostError
	ErrReleased    = backends.ErrReleased    // the lease was released
	ErrClosed      = backends.ErrClosed      // the manager was closed
	ErrInvalid     = backends.ErrInvalid     // a bad argument or option; typed: *InvalidError
	ErrInvalidName = backends.ErrInvalidName // typed: *InvalidError; is ErrInvalid as well
	ErrTooLarge    = backends.ErrTooLarge    // more permits than the resource has
	ErrMismatch    = backends.ErrMismatch    // the name is in use in another way; typed: *MismatchError
	ErrDeadlock    = backends.ErrDeadlock    // would wait for itself; typed: *DeadlockError
	ErrUnavailable = backends.ErrUnavailable // the store cannot be reached or refuses
	ErrPermission  = backends.ErrPermission  // the store or the system forbids it
	ErrUnsupported = backends.ErrUnsupported // the store cannot do it
	ErrTicket      = backends.ErrTicket      // the ticket was used before, has expired, or is none
)

// The typed errors, for errors.As.
type (
	LostError     = backends.LostError
	LostReason    = backends.LostReason
	InvalidError  = backends.InvalidError
	MismatchError = backends.MismatchError
	DeadlockError = backends.DeadlockError
)

// The reasons of a LostError.
const (
	Expired     = backends.Expired
	NotOwner    = backends.NotOwner
	BackendLost = backends.BackendLost
	Broken      = backends.Broken
	MaxHold     = backends.MaxHold
	ByClose     = backends.ByClose

	// Dropped is the reason when the program has dropped the lease without a Release: see [Lease].
	Dropped LostReason = "dropped"

	// Panicked is the reason when the manager's own code panicked; the cause is an
	// *actor.PanicError.
	Panicked LostReason = "panic"
)

// opErr names the call and its resource in err, unless the store has done so.
func opErr(op, name string, err error) error {
	var said *backends.OpError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said) && said.Name == name:
		return err
	}
	return &backends.OpError{Op: op, Name: name, Err: err}
}
