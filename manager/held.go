package manager

import (
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A HeldError names a holder of a name that an acquire could not get: a try that was busy, or a wait
// whose context ended. If no holder is known, the error is not a HeldError.
//
// A holder in this process is always known. A holder in another process is known to a try that the
// store refused, and to a wait whose context had a deadline: shortly before it, the manager asks the
// store once for all waiters of the name, and names the holder of that moment. After a wait that was
// cancelled, or whose store did not answer in time, no other process is known.
type HeldError struct {
	Err    error          // ErrBusy, or the error of the context
	Name   string         // the held name; of an All, that of the part that is held
	Holder HolderStats    // the longest holder in this process, or else a holder in another one
	Owner  backends.Owner // the process of the holder

	other *backends.Holder // in another process; nil: Holder is of this one
}

func (e *HeldError) Error() string {
	if e.other != nil {
		return fmt.Sprintf("%v: %s", e.Err, e.other.Held())
	}
	by := "in this process"
	if e.Holder.Site != "" {
		by = "by " + e.Holder.Site
	}
	return fmt.Sprintf("%v: held %s since %s (token %d)",
		e.Err, by, e.Holder.Since.Format(time.DateTime), e.Holder.Token)
}

// Unwrap returns Err.
func (e *HeldError) Unwrap() error { return e.Err }

// held adds to err who holds the name, if that is known.
func (k *keeper) held(err error) error {
	switch r := k.inTheWay(); {
	case r != nil:
		return &HeldError{Err: err, Name: k.name, Holder: r.holderStats(), Owner: k.m.owner}
	case k.seen != nil && k.m.now() < k.asked+2*askBefore:
		return heldBy(err, k.name, k.seen)
	}
	return err
}

// inTheWay returns the holder of this process that has held for longest; if there is none, one that
// has lost the name and may still run.
func (k *keeper) inTheWay() *request {
	if r := k.holders.head; r != nil {
		return r
	}
	return k.strays.head
}

// refusal is the error of a try that the store has refused with err: it may know a holder.
func (k *keeper) refusal(err error) error {
	var busy *backends.BusyError
	if !errors.As(err, &busy) || busy.Name == k.name && k.inTheWay() != nil {
		return k.held(ErrBusy)
	}
	return heldBy(ErrBusy, busy.Name, &busy.Holder)
}

func heldBy(err error, name string, h *backends.Holder) error {
	stats := HolderStats{Since: h.Since, Token: h.Token, Weight: h.Weight}
	if h.Expires > 0 {
		stats.ValidUntil = time.Now().Add(h.Expires)
	}
	if h.Kept > 0 {
		stats.KeptUntil = time.Now().Add(h.Kept)
	}
	return &HeldError{Err: err, Name: name, Holder: stats, Owner: h.Owner, other: h}
}
