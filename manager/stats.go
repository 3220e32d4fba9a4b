package manager

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// MaxListed is how many holders, and how many waiters, a ResourceStats lists at most: those that
// have held or waited for longest.
const MaxListed = 16

// Stats is what a manager has done and what it does now, in this process.
//
// Its JSON form is stable: fields may be added, none is renamed. Times are RFC 3339 and absent if
// zero, durations are nanoseconds.
type Stats struct {
	Store string    `json:"store"` // the kind of its backend
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Label string    `json:"label"` // see WithLabel
	Time  time.Time `json:"time"`  // when the statistics were taken

	Holding      int64     `json:"holding"`                // grants held now
	Waiting      int64     `json:"waiting"`                // acquires that wait now
	LongestHold  time.Time `json:"longest_hold,omitzero"`  // since when the oldest holder holds
	OldestWaiter time.Time `json:"oldest_waiter,omitzero"` // since when the oldest waiter waits
	ValidUntil   time.Time `json:"valid_until,omitzero"`   // the earliest end of a grant that is held
	Totals       Counters  `json:"totals"`                 // since New, over all names

	Resources []ResourceStats     `json:"resources"`         // the live ones, by name
	History   map[string]Counters `json:"history,omitempty"` // since New, see WithHistory
}

// ResourceStats is one live resource: in use, or used a moment ago.
type ResourceStats struct {
	Name     string        `json:"name"`
	Kind     backends.Kind `json:"-"`
	KindName string        `json:"kind"`
	Capacity int64         `json:"capacity"`
	Key      string        `json:"key,omitempty"` // under which it counts in the history, if it does
	Holding  int64         `json:"holding"`       // grants held by this process; re-entrant leases share one
	Waiting  int64         `json:"waiting"`       // acquires of this process that wait

	LongestHold  time.Time `json:"longest_hold,omitzero"`  // since when the oldest holder holds
	OldestWaiter time.Time `json:"oldest_waiter,omitzero"` // since when the oldest waiter waits
	ValidUntil   time.Time `json:"valid_until,omitzero"`   // the earliest end of a grant that is held
	Leading      bool      `json:"leading,omitempty"`      // this process leads under the name, see Lead

	Holders []HolderStats `json:"holders"` // oldest first, MaxListed of them at most
	Waiters []WaiterStats `json:"waiters"` // in the order of the queue, MaxListed of them at most

	Counters
}

// HolderStats is a grant that this process holds.
type HolderStats struct {
	Site       string    `json:"site,omitempty"`       // file:line of the acquire, if recorded
	Since      time.Time `json:"since"`                // of the grant
	ValidUntil time.Time `json:"valid_until,omitzero"` // zero where leases do not expire
	KeptUntil  time.Time `json:"kept_until,omitzero"`  // end of HoldAtLeast; zero without it
	Token      uint64    `json:"token"`
	Weight     int64     `json:"weight"` // permits
}

// WaiterStats is an acquire of this process that waits.
type WaiterStats struct {
	Site   string    `json:"site,omitempty"` // file:line of the acquire, if recorded
	Since  time.Time `json:"since"`
	Weight int64     `json:"weight"`          // permits
	Holds  []string  `json:"holds,omitempty"` // names that its owner holds meanwhile, MaxListed at most
}

// statistics is what a Stats collects: the manager's actor sends each keeper a snapshot, which fills
// in a row. Ten thousand rows are larger than a processor's cache. So each is written once, in the
// place where the caller reads it, and added up at once if its keeper was at rest.
type statistics struct {
	answer
	sum  counters // of keepers that have retired, and of the rows that were added up
	rows []ResourceStats
	asks []snapshot // one for each row
	left atomic.Int32
}

// Stats returns the totals since New and one row for each live resource, by name. Each row is
// consistent in itself. It asks every keeper, so it is meant for people and metrics, not for
// decisions: 10 000 live names take about 15 ms.
func (m *Manager) Stats() Stats {
	s := Stats{Resources: []ResourceStats{}}
	if !m.made() {
		return s
	}
	all := &statistics{}
	m.actor.mail.Deliver(all)
	all.await(m, nil, nil)
	s.Store, s.Time = m.caps.Name, time.Now()
	s.Host, s.PID, s.Label = m.owner.Host, m.owner.PID, m.owner.Label
	retired := 0
	for i := range all.asks {
		q, row := &all.asks[i], &all.rows[i]
		all.add(q)
		if q.retired { // its row counts: it had not retired when the past was summed
			retired++
			continue
		}
		s.Holding += row.Holding
		s.Waiting += row.Waiting
		s.LongestHold = earlier(s.LongestHold, row.LongestHold)
		s.OldestWaiter = earlier(s.OldestWaiter, row.OldestWaiter)
		s.ValidUntil = earlier(s.ValidUntil, row.ValidUntil)
		if retired > 0 {
			all.rows[i-retired] = *row
		}
	}
	s.Resources = all.rows[:len(all.rows)-retired]
	s.Totals = all.sum.sum
	if m.cfg.historyKey != nil {
		s.History = make(map[string]Counters, len(all.sum.byKey))
	}
	for key, c := range all.sum.byKey {
		s.History[key] = *c
	}
	return s
}

// add adds up the counters of a row, once.
func (s *statistics) add(q *snapshot) {
	if !q.added {
		q.added = true
		s.sum.count(q.key, q.kept, func(c *Counters) { c.add(&q.row.Counters) })
	}
}

// earlier returns the earlier of two times; a zero time does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// collect sends the snapshots, in the order of the names.
func (c *managerActor) collect(all *statistics) {
	ks, past := c.m.dir.all(false)
	slices.SortFunc(ks, func(a, b *keeper) int { return cmp.Compare(a.name, b.name) })
	all.sum, all.rows, all.asks = past, make([]ResourceStats, len(ks)), make([]snapshot, len(ks))
	all.left.Store(int32(len(ks)) + 1)
	for i, k := range ks {
		q := &all.asks[i]
		q.statistics, q.row = all, &all.rows[i]
		if k.mail.TryDeliver(q) {
			all.add(q)
		} else {
			k.mail.Tell(q) // Stats adds it
		}
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
	q.key, q.kept, q.retired = k.key, k.kept, k.retired
	row := q.row
	*row = ResourceStats{
		Name: k.name, Kind: k.kind, KindName: k.kind.String(), Capacity: k.cap, Key: k.key,
		Holding: int64(k.holders.n), Waiting: int64(k.queue.n), Counters: k.counters.clone(),
		Holders: make([]HolderStats, 0, min(k.holders.n, MaxListed)),
		Waiters: make([]WaiterStats, 0, min(k.queue.n, MaxListed)),
	}
	for r := k.holders.head; r != nil; r = r.next {
		h := r.holderStats()
		row.LongestHold = earlier(row.LongestHold, h.Since)
		row.ValidUntil = earlier(row.ValidUntil, h.ValidUntil)
		row.Leading = row.Leading || r.leads
		if len(row.Holders) < MaxListed {
			row.Holders = append(row.Holders, h)
		}
	}
	if r := k.queue.head; r != nil {
		row.OldestWaiter = k.m.time(r.since)
	}
	for r := k.queue.head; r != nil && len(row.Waiters) < MaxListed; r = r.next {
		w := WaiterStats{
			Site: r.seen.at().String(), Since: k.m.time(r.since), Weight: r.weight, Holds: r.holds(),
		}
		row.Waiters = append(row.Waiters, w)
	}
	q.filled()
}

func (r *request) holderStats() HolderStats {
	h := HolderStats{
		Site: r.seen.at().String(), Since: r.k.m.time(r.since), ValidUntil: r.validUntil(), Token: r.token, Weight: r.weight,
	}
	if r.least > 0 {
		h.KeptUntil = h.Since.Add(r.least)
	}
	return h
}

// holds returns what the owner of a waiter holds: the leases of its context, and the parts of an All
// that have been granted. What it reads of other keepers' requests is set before r comes to the
// queue, or atomic: nothing changes the leases above r while it waits.
func (r *request) holds() (names []string) {
	add := func(name string) {
		if len(names) < MaxListed && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for l := r.outer; l != nil && len(names) < MaxListed; l = l.outer {
		if g := l.req; g != nil && g.k.m == r.k.m && l.end.Load() == nil {
			add(g.k.name)
		}
	}
	if s := r.several; s != nil {
		for i := range s.parts {
			if p := &s.parts[i]; p.state.Load() == accepted && p.end.Load() == nil {
				add(s.names[i].name)
			}
		}
	}
	return names
}
