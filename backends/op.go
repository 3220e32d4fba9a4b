package backends

import (
	"context"
	"slices"
	"strings"
)

// Op is one operation of a store: it releases grants, and then requests resources, all in one step.
// No operation of any client comes in between, so every request for several names gets its places
// in the queues in one total order. A cluster, which has no step over several slots, takes the
// slots in ascending order, each in one step, and the next when the one before is granted in full.
//
// Each callback is told once for each of its grants or requests, by any goroutine, perhaps before
// Start returns. It must not block, and must call no method of the backend but Start and Cancel.
// The op must not be changed, and not be started again, before it has had all its answers and its
// work has returned.
//
// Released(i, err) tells what became of Release[i]. A release is idempotent. An error that wraps
// [ErrLost] says that the grant had ended before; its successor is untouched. [ErrUnavailable] says
// that the outcome is unknown: the client tries again in the background until it is confirmed, and
// the grant ends by itself at the latest when it expires. Neither keeps the requests from being
// made. The grant has ended for its holder when the release is answered, though its permits may
// stay taken, see [Request.AtLeast].
//
// Granted(i, g, nil) tells that Acquire[i] is granted: g belongs to the caller until it is
// released. Requests are granted one by one, as their queues move, after the releases of the op
// have been answered. Granted(i, _, err) tells that request i has failed: nothing is held of it,
// and nothing is left in a queue. The failure of one request fails all that are not granted yet,
// with errors that wrap the same cause; the caller releases those that are. Requests fail with
// ErrInvalid, ErrInvalidName, ErrTooLarge, ErrMismatch, ErrPermission, ErrUnsupported or ErrClosed,
// and with ErrUnavailable if the store cannot be reached or refuses. A request for several names
// that is sent back to the end of a queue ([Requeued]) fails as a whole, with ErrRequeued and
// ErrUnavailable, rather than break the order.
//
// Without Wait, requests are granted at once or not at all: if any of them would have to wait, each
// fails with ErrBusy, and nothing is touched. A store with [Capabilities.NamesHolder] fails them
// with the *BusyError of a name that has a holder, if any of those that are busy has one. A program
// that is no client of the store need not be named.
type Op struct {
	Release  []Grant   // of this client
	Acquire  []Request // of different names
	Wait     bool      // stand in the queues until granted; false: try
	Released func(i int, err error)
	Granted  func(i int, g Grant, err error)

	// State is for the store, from Start to the last answer.
	State any
}

// Work is I/O that an operation needs. A goroutine that may block runs it, once: the caller that
// waits for the answer, or else a task. It returns when no goroutine needs to wait any more: each
// release is answered, and each request is granted, has failed, or stands in its queue.
//
// When ctx ends first, work cancels the requests, which then fail with the error of ctx, and goes
// on with the releases in the background: Released is told ErrUnavailable.
type Work func(ctx context.Context)

// Check returns an error unless every request of the op makes sense for a store with these
// capabilities, and no name is requested twice. It panics if a callback is missing. Every backend
// calls it before it does anything.
func (op *Op) Check(c Capabilities) error {
	if op.Granted == nil && len(op.Acquire) > 0 || op.Released == nil && len(op.Release) > 0 {
		panic(c.Name + ": an operation needs a callback for each kind of answer")
	}
	for i := range op.Acquire {
		if err := op.Acquire[i].Check(c); err != nil {
			return err
		}
	}
	if name, ok := repeated(op.Acquire, strings.Compare); ok {
		return &InvalidError{Field: "request", Value: name, Want: "each name once"}
	}
	return nil
}

// repeated returns the first name, in the order of compare, that several requests have. It costs
// O(n log n), and O(n) if the requests are in order: those of a manager are.
func repeated(rs []Request, compare func(a, b string) int) (string, bool) {
	if len(rs) < 2 {
		return "", false
	}
	var few [16]string // room for most operations without an allocation
	names := slices.Grow(few[:0], len(rs))
	for i := range rs {
		names = append(names, rs[i].Name)
	}
	slices.SortFunc(names, compare)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return names[i], true
		}
	}
	return "", false
}

// Fail tells Granted the error for each request.
func (op *Op) Fail(err error) {
	for i := range op.Acquire {
		op.Granted(i, Grant{}, err)
	}
}
