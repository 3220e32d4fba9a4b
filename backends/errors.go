package backends

import (
	"errors"
	"fmt"
)

// Every error of a backend wraps one of these, or is a context's.
var (
	ErrBusy        = errors.New("busy")                    // a try would have to wait; mostly typed: *BusyError
	ErrLost        = errors.New("lease lost")              // typed: *LostError
	ErrReleased    = errors.New("lease released")          // used after its release
	ErrClosed      = errors.New("closed")                  // by Close
	ErrInvalid     = errors.New("invalid argument")        // typed: *InvalidError
	ErrInvalidName = errors.New("invalid name")            // typed: *InvalidError; wraps ErrInvalid as well
	ErrTooLarge    = errors.New("more than capacity")      // a request that could never be granted
	ErrMismatch    = errors.New("resource mismatch")       // typed: *MismatchError
	ErrDeadlock    = errors.New("deadlock")                // typed: *DeadlockError
	ErrUnavailable = errors.New("store unavailable")       // out of reach, or refuses
	ErrRequeued    = errors.New("place in the queue lost") // of a request for several names; wraps ErrUnavailable as well
	ErrPermission  = errors.New("permission denied")       // by the store or the operating system
	ErrUnsupported = errors.New("not supported by the store")
	ErrTicket      = errors.New("ticket refused") // of Adopt: used, expired or forged
)

// LostReason says why a lease ended before its release.
type LostReason string

// The reasons.
const (
	Expired     LostReason = "expired"      // not renewed in time, as far as the holder knows
	NotOwner    LostReason = "not-owner"    // the store says that it is not held any more
	BackendLost LostReason = "backend-lost" // its place is gone: a lock file removed or replaced
	Broken      LostReason = "broken"       // by Break
	MaxHold     LostReason = "max-hold"     // held for longer than the manager allows
	ByClose     LostReason = "closed"       // the manager or the backend was closed
)

// LostError says which lease was lost, and why. errors.Is(err, ErrLost) holds, and so does
// errors.Is with its cause.
type LostError struct {
	Name   string
	Token  uint64
	Reason LostReason
	Cause  error // may be nil
}

func (e *LostError) Error() string {
	s := fmt.Sprintf("lease on %q (token %d) lost: %s", e.Name, e.Token, e.Reason)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns ErrLost and the cause.
func (e *LostError) Unwrap() []error { return causes(ErrLost, e.Cause) }

// InvalidError says which argument was refused. Nothing was changed.
type InvalidError struct {
	Field string // "name", "weight", "ttl", …
	Value any
	Want  string // what would have been accepted
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("invalid %s %s: want %s", e.Field, brief(e.Value), e.Want)
}

// Is reports whether target is ErrInvalid, or ErrInvalidName for a name.
func (e *InvalidError) Is(target error) bool {
	return target == ErrInvalid || target == ErrInvalidName && e.Field == fieldName
}

// MismatchError says that a name is in use in another way than was asked for.
type MismatchError struct {
	Have, Want Resource
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%q is in use as a %s, not as a %s", e.Want.Name, e.Have.use(), e.Want.use())
}

// use says in words how a resource is used.
func (r Resource) use() string {
	switch r.Kind {
	case Mutex:
		return "lock"
	case ReadWrite:
		return "reader-writer lock"
	case Semaphore:
		return fmt.Sprintf("semaphore of %d permits", r.Capacity)
	}
	return r.Kind.String()
}

// Is reports whether target is ErrMismatch.
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// DeadlockError names the cycle that an acquire would have closed. The caller waits for Cycle[0], a
// holder of Cycle[0] waits for Cycle[1], and so on; the caller holds the last name, or a part of
// it. In a cycle of one name the caller waits for itself.
type DeadlockError struct {
	Cycle []string
}

func (e *DeadlockError) Error() string {
	if len(e.Cycle) == 1 {
		return "deadlock: this context already holds it; see Reentrant"
	}
	return fmt.Sprintf("deadlock over %q", e.Cycle)
}

// Is reports whether target is ErrDeadlock.
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

// OpError says which call of a store or a manager failed, and on which resource. Its text is built
// only when Error is called, and leaves out Name if Err contains it.
type OpError struct {
	Store string // the kind of store; empty for a manager's call
	Op    string // "acquire", "renew", "release", …
	Name  string // of the resource; empty if the call concerns none
	Err   error
}

func (e *OpError) Error() string {
	s := e.Op
	if e.Store != "" {
		s = e.Store + ": " + s
	}
	if e.Name != "" && !says(e.Err, e.Name) {
		s += " " + brief(e.Name)
	}
	return fmt.Sprintf("%s: %v", s, e.Err)
}

// Unwrap returns Err.
func (e *OpError) Unwrap() error { return e.Err }

// says reports whether the text of err contains the name.
func says(err error, name string) bool {
	var lost *LostError
	var mismatch *MismatchError
	return errors.As(err, &lost) && lost.Name == name || errors.As(err, &mismatch) && mismatch.Want.Name == name
}

func causes(sentinel, cause error) []error {
	if cause == nil {
		return []error{sentinel}
	}
	return []error{sentinel, cause}
}

// brief keeps a message readable when a name is a megabyte.
func brief(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%q… (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}
