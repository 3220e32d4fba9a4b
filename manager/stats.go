package manager

import (
	"cmp"
	"context"
	"errors"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Buckets is the number of buckets of a Histogram.
const Buckets = 28

// A Histogram counts durations in powers of two: bucket 0 those below 1 µs, bucket i those from
// 2^(i-1) µs to below 2^i µs, the last one everything longer (from about a minute).
type Histogram [Buckets]uint64

func (h *Histogram) record(d time.Duration) {
	h[min(bits.Len64(uint64(max(d, 0)/time.Microsecond)), Buckets-1)]++
}

func (h *Histogram) add(o *Histogram) {
	for i, n := range o {
		h[i] += n
	}
}

// Count returns how many durations were counted.
func (h Histogram) Count() uint64 {
	var n uint64
	for _, c := range h {
		n += c
	}
	return n
}

// Quantile returns an upper bound of the q-quantile (q from 0 to 1), exact to a factor of two; 0 if
// nothing was counted.
func (h Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total))
	var seen uint64
	for i, c := range h {
		if seen += c; seen > rank || seen == total {
			return time.Microsecond << i
		}
	}
	return 0
}

// Counters say what happened to one name, or to all.
//
// Every acquire ends in exactly one of Acquisitions, TimedOut, Cancelled, Busy and Failed. An
// acquire is a call of Acquire, TryAcquire or Do, or a term of Lead. One that is refused at once
// while its name is not in use counts in the totals alone.
//
// Of an All each part that is granted counts as acquired, and later as released or lost, also if
// the All fails. A part that is granted again counts again. A failed All counts one failure
// besides: at the name that is to blame, or at its first name if its context ended. Parts that were
// still waiting count nowhere.
//
// Acquisitions minus Releases minus Lost is the number of leases held now, re-entrant ones
// included.
type Counters struct {
	Acquisitions uint64 `json:"acquisitions"` // grants, hand-offs and re-entries included
	Releases     uint64 `json:"releases"`     // of leases held until then
	Contended    uint64 `json:"contended"`    // acquires, not tries, that others kept waiting
	TimedOut     uint64 `json:"timed_out"`    // ended by the deadline of their context
	Cancelled    uint64 `json:"cancelled"`    // ended by the cancellation of their context
	Busy         uint64 `json:"busy"`         // tries that would have had to wait
	Failed       uint64 `json:"failed"`       // ended by any other error: store, deadlock, Close, …
	Lost         uint64 `json:"lost"`         // leases that ended before their release
	Handoffs     uint64 `json:"handoffs"`     // grants handed on inside the process
	Renewals     uint64 `json:"renewals"`     // confirmed by the store
	Requeued     uint64 `json:"requeued"`     // times that the store's queue lost our place

	Waits Histogram `json:"waits"` // from the acquire to the grant, or to the end of its context
	Holds Histogram `json:"holds"` // from the grant to the release or loss
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

func (c *Counters) add(o *Counters) {
	c.Acquisitions += o.Acquisitions
	c.Releases += o.Releases
	c.Contended += o.Contended
	c.TimedOut += o.TimedOut
	c.Cancelled += o.Cancelled
	c.Busy += o.Busy
	c.Failed += o.Failed
	c.Lost += o.Lost
	c.Handoffs += o.Handoffs
	c.Renewals += o.Renewals
	c.Requeued += o.Requeued
	c.Waits.add(&o.Waits)
	c.Holds.add(&o.Holds)
}

// ResourceStats is one live resource: in use, or used a moment ago.
type ResourceStats struct {
	Name     string        `json:"name"`
	Kind     backends.Kind `json:"-"`
	KindName string        `json:"kind"`
	Capacity int64         `json:"capacity"`
	Holding  int64         `json:"holding"` // grants held by this process; re-entrant leases share one
	Waiting  int64         `json:"waiting"` // acquires of this process that wait
	Counters
}

// Stats is what a manager has done and what it does now.
type Stats struct {
	Store     string          `json:"store"`   // the kind of its backend
	Holding   int64           `json:"holding"` // grants held now
	Waiting   int64           `json:"waiting"` // acquires that wait now
	Totals    Counters        `json:"totals"`  // since New, over all names
	Resources []ResourceStats `json:"resources"`
}

// statistics is what a Stats collects: the manager's actor sends each keeper a snapshot to fill in.
type statistics struct {
	answer
	past Counters   // of keepers that have retired
	rows []snapshot // of those there are
	left atomic.Int32
}

// Stats returns the totals since New and one row for each live resource, by name. Each row is
// consistent in itself. It asks every keeper, so it is meant for people and metrics, not for
// decisions.
func (m *Manager) Stats() Stats {
	s := Stats{Resources: []ResourceStats{}}
	if !m.made() {
		return s
	}
	all := &statistics{}
	m.actor.mail.Deliver(all)
	all.await(m, nil, nil)
	s.Store, s.Totals = m.caps.Name, all.past
	for i := range all.rows {
		q := &all.rows[i]
		s.Totals.add(&q.row.Counters)
		if q.retired {
			continue // counted above: it was not when the past was summed
		}
		s.Holding += q.row.Holding
		s.Waiting += q.row.Waiting
		s.Resources = append(s.Resources, q.row)
	}
	slices.SortFunc(s.Resources, func(a, b ResourceStats) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// collect sends the snapshots.
func (c *managerActor) collect(all *statistics) {
	ks, past := c.m.dir.all(false)
	all.past, all.rows = past, make([]snapshot, len(ks))
	all.left.Store(int32(len(ks)) + 1)
	for i, k := range ks {
		all.rows[i].statistics = all
		k.tell(&all.rows[i])
	}
	all.filled()
}

// filled notes that a row is filled in, or that all snapshots have been sent.
func (s *statistics) filled() {
	if s.left.Add(-1) == 0 {
		s.settle()
	}
}

// snapshot fills in a row.
func (k *keeper) snapshot(q *snapshot) {
	q.retired = k.retired
	q.row = ResourceStats{
		Name: k.name, Kind: k.kind, KindName: k.kind.String(), Capacity: k.cap,
		Holding: int64(k.holders.n), Waiting: int64(k.queue.n), Counters: k.counters,
	}
	q.filled()
}
