package manager

import (
	"fmt"
	"time"
)

// A HeldError is why an acquire failed that others kept waiting: a try that was busy, or a wait
// that its context ended. It names a holder. An error that tells of no holder is no HeldError: then
// another process holds the name, or nobody does.
type HeldError struct {
	Err    error       // ErrBusy, or the error of the context
	Holder HolderStats // of those in this process, the one that has held the name for longest
}

func (e *HeldError) Error() string {
	by := "in this process"
	if e.Holder.Site != "" {
		by = "by " + e.Holder.Site
	}
	return fmt.Sprintf("%v: held %s since %s (token %d)",
		e.Err, by, e.Holder.Since.Format(time.DateTime), e.Holder.Token)
}

// Unwrap returns Err.
func (e *HeldError) Unwrap() error { return e.Err }

// held adds to err who holds the name, if a holder is here.
func (k *keeper) held(err error) error {
	if r := k.holders.head; r != nil {
		return &HeldError{Err: err, Holder: r.holderStats()}
	}
	return err
}
