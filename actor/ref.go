package actor

import "context"

// A Ref is how others see an actor: a small value, to be copied at will and safe for
// concurrent use. It stays valid when the actor has ended. The zero Ref is that of an actor
// that never was: it has ended.
type Ref[M any] struct{ cell *cell[M] }

// Tell puts msg into the mailbox, and waits for room while it is full.
//
// nil: the actor handles msg, or it ends before that, and then msg is a dead letter.
// Otherwise nothing was sent: [ErrStopped], or the context's error; a context already done
// loses. Messages of one sender are handled in the order of its Tells, and what a sender
// did before Tell is visible to the handler. An actor that tells itself while its
// mailbox is full waits for itself: use TryTell there.
func (r Ref[M]) Tell(ctx context.Context, msg M) error {
	if r.cell == nil {
		return ErrStopped
	}
	return r.cell.send(ctx, envelope[M]{msg: msg})
}

// TryTell is Tell without waiting: [ErrMailboxFull] if there is no room.
func (r Ref[M]) TryTell(msg M) error {
	if r.cell == nil {
		return ErrStopped
	}
	return r.cell.trySend(envelope[M]{msg: msg})
}

// Stop makes the actor end after the message it is handling: it takes no more, its context
// is cancelled, what lies in its mailbox becomes dead letters and asks among it fail with
// [ErrStopped]. Its children end first, newest first. Stop does not wait; see Done.
func (r Ref[M]) Stop() {
	if r.cell != nil {
		r.cell.stop()
	}
}

// Drain makes the actor take no more messages, handle what it has, wait for its tasks and
// handle their results, drain its children, newest first, and end; it waits for that.
// If ctx ends first, the rest is not handled: the actor is stopped as by Stop,
// and Drain returns the context's error without waiting on. An actor must not drain
// itself from its own handler: it would wait for itself. At the end asks still deferred fail with
// [ErrStopped], and timers are stopped.
func (r Ref[M]) Drain(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	if r.cell == nil {
		return nil
	}
	r.cell.drain()
	select { // if both are ready, either answer is true
	case <-r.Done():
		return nil
	case <-ctx.Done():
		r.cell.stop()
		return ctxError(ctx)
	}
}

// Done is closed when the actor has ended: its handler has returned, its tasks and children
// have ended, and no goroutine of it is left.
func (r Ref[M]) Done() <-chan struct{} {
	if r.cell == nil || r.cell.left.Load() { // done may belong to a synctest bubble that is over
		return closed
	}
	return r.cell.done
}

// closed is what the zero Ref has for Done.
var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Err is nil until Done is closed. Then it says why the actor ended: [ErrStopped] if it
// was told to or was idle, else its failure: the error of its handler, or a [*PanicError].
func (r Ref[M]) Err() error {
	select {
	case <-r.Done():
	default:
		return nil
	}
	if r.cell == nil {
		return ErrStopped
	}
	return r.cell.fate()
}

// Name gives the names from the top-level actor down to this one, joined by "/".
func (r Ref[M]) Name() string {
	if r.cell == nil {
		return ""
	}
	return r.cell.name
}

// Stats counts what the actor did so far. It costs the actor nothing.
func (r Ref[M]) Stats() Stats {
	if r.cell == nil {
		return Stats{}
	}
	return r.cell.stats()
}
