package backends

import (
	"fmt"
	"time"
)

// BusyError is an ErrBusy that names a holder, as the store saw it when it refused the try. A
// resource may have further holders. errors.Is(err, ErrBusy) holds. See [Capabilities.NamesHolder].
type BusyError struct {
	Name   string // of the resource that was busy
	Holder Holder
}

func (e *BusyError) Error() string { return ErrBusy.Error() + ": " + e.Holder.Held() }

// Unwrap returns ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// Held says for a message who holds and since when: "held by pid 4711 on db1 (backup) since
// 2026-11-27 12:03:04", in local time.
//
// A kept grant reads "kept until 2026-11-27 12:04:04, last held by pid …". A detached grant reads
// "detached by pid …, not adopted yet".
func (h Holder) Held() string {
	if h.Kept > 0 {
		return "kept until " + time.Now().Add(h.Kept).Format(time.DateTime) + ", last held by " + h.who()
	}
	if h.Detached {
		return "detached by " + h.who() + ", not adopted yet"
	}
	s := "held by " + h.who()
	if h.Since.IsZero() {
		return s
	}
	return s + " since " + h.Since.Local().Format(time.DateTime)
}

func (h Holder) who() string {
	foreign := h.ID == (GrantID{})
	switch {
	case foreign && h.Owner.PID == 0:
		return "another program"
	case foreign:
		return "another program (" + h.Owner.String() + ")"
	case h.Owner == Owner{}:
		return "another client"
	}
	return h.Owner.String()
}

// String returns process, host and label (if any), for people; "unknown" for the zero Owner. It
// quotes a host and a label that are not plain.
func (o Owner) String() string {
	if o == (Owner{}) {
		return "unknown"
	}
	s := fmt.Sprintf("pid %d on %s", o.PID, plain(o.Host))
	if o.Label != "" {
		s += " (" + plain(o.Label) + ")"
	}
	return s
}

// plain returns a text as it is if it is short and plain, else quoted.
func plain(s string) string {
	if q := brief(s); s == "" || q != `"`+s+`"` {
		return q
	}
	return s
}
