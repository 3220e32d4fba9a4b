package manager

import (
	"context"
	"errors"
	"maps"
	"time"
)

// Counters say what happened to one name, or to all.
//
// Every acquire ends in exactly one of Acquisitions, TimedOut, Cancelled, Busy and Failed. An
// acquire is a call of Acquire, TryAcquire or Do, or a term of Lead. One that is refused at once
// while its name is not in use counts in the totals and in the history.
//
// Of an All each part that is granted counts as acquired, and later as released or lost, also if
// the All fails. A part that is granted again counts again. A failed All counts one failure
// besides: at the name that is to blame, or at its first name if its context ended. Parts that were
// still waiting count nowhere, and so does an All of no parts.
//
// An Adopt counts as an acquire, and a Detach as a release.
//
// Acquisitions minus Releases minus Lost is the number of leases held now, re-entrant ones
// included.
type Counters struct {
	Acquisitions   uint64 `json:"acquisitions"`    // grants, hand-offs and re-entries included
	Releases       uint64 `json:"releases"`        // of leases held until then
	Contended      uint64 `json:"contended"`       // acquires, not tries, that others kept waiting
	TimedOut       uint64 `json:"timed_out"`       // ended by the deadline of their context
	Cancelled      uint64 `json:"cancelled"`       // ended by the cancellation of their context
	Busy           uint64 `json:"busy"`            // tries that would have had to wait
	Failed         uint64 `json:"failed"`          // ended by any other error: store, deadlock, Close, …
	Lost           uint64 `json:"lost"`            // leases that ended before their release
	Dropped        uint64 `json:"dropped"`         // leases that nobody released; in Releases or Lost too
	Handoffs       uint64 `json:"handoffs"`        // grants handed on inside the process
	Renewals       uint64 `json:"renewals"`        // confirmed by the store
	RenewalsFailed uint64 `json:"renewals_failed"` // attempts that the store did not answer, or refused
	Requeued       uint64 `json:"requeued"`        // times that the store's queue lost our place

	LostBy map[LostReason]uint64 `json:"lost_by,omitempty"` // Lost by reason; nil if none was

	Waits Histogram `json:"waits"` // from the acquire to the grant, or to the end of its context
	Holds Histogram `json:"holds"` // from the grant to the release or loss; what is held is not in it
}

// granted counts an acquire that ended with a lease.
func (c *Counters) granted(waited time.Duration) {
	c.Acquisitions++
	c.Waits.record(waited)
}

// contextEnded counts an acquire that its context ended; why is the error of that context.
func (c *Counters) contextEnded(why error, waited time.Duration) {
	if errors.Is(why, context.DeadlineExceeded) {
		c.TimedOut++
	} else {
		c.Cancelled++
	}
	c.Waits.record(waited)
}

// refused counts an acquire that ended with any other error.
func (c *Counters) refused(err error) {
	if errors.Is(err, ErrBusy) {
		c.Busy++
	} else {
		c.Failed++
	}
}

// lost counts n leases that were lost.
func (c *Counters) lost(why LostReason, n uint64) {
	if n == 0 {
		return
	}
	c.Lost += n
	if c.LostBy == nil {
		c.LostBy = make(map[LostReason]uint64)
	}
	c.LostBy[why] += n
}

func (c *Counters) add(o *Counters) {
	c.Acquisitions += o.Acquisitions
	c.Releases += o.Releases
	c.Contended += o.Contended
	c.TimedOut += o.TimedOut
	c.Cancelled += o.Cancelled
	c.Busy += o.Busy
	c.Failed += o.Failed
	for why, n := range o.LostBy {
		c.lost(why, n)
	}
	c.Dropped += o.Dropped
	c.Handoffs += o.Handoffs
	c.Renewals += o.Renewals
	c.RenewalsFailed += o.RenewalsFailed
	c.Requeued += o.Requeued
	c.Waits.add(&o.Waits)
	c.Holds.add(&o.Holds)
}

// clone returns a copy that shares nothing with c.
func (c *Counters) clone() Counters {
	d := *c
	d.LostBy = maps.Clone(c.LostBy)
	return d
}
