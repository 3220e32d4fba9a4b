package debug

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// What the handler remembers: the last minutes, in slots.
const (
	slotLength = 5 * time.Second
	slots      = 60
	window     = slots * slotLength
	maxTracked = 2048 // names
)

// series is a value over the last slots.
type series struct {
	at      int64         // the current slot, since 1970
	waiting [slots]uint32 // at most
	bad     [slots]uint32 // leases lost, acquires and renewals failed
	done    [slots]uint32 // acquired, on average since the last look
}

// track is the series of a name.
type track struct {
	series
	seen uint64                 // bad, when it was last looked at
	last int64                  // slot in which the name was live
	row  *manager.ResourceStats // what it last was, if something went wrong; without holders and waiters
}

// history samples the statistics whenever the page is asked for: it remembers while somebody looks,
// and needs no goroutine. It remembers names that have waiters, or have lost or failed; a name that
// has lost something when it is first seen has lost it then. The mutex is held from the look at the
// manager on, so samples come in order.
type history struct {
	mu     sync.Mutex
	totals track
	looked [slots]bool // in which slots of totals somebody looked
	begun  bool
	done   uint64 // acquired, when it was last looked at
	names  map[string]*track
}

// bad is what has gone wrong.
func bad(c *manager.Counters) uint64 { return c.Lost + c.Failed + c.RenewalsFailed }

// sample takes in what the manager says now.
func (h *history) sample(s *manager.Stats) {
	slot := s.Time.Unix() / int64(slotLength/time.Second)
	if slot < h.totals.at { // of before 1970, or of a look that began later and ended first
		return
	}
	since := slot - h.totals.at // slots in which nobody looked are among them
	for i := max(h.totals.at+1, slot-slots+1); i <= slot; i++ {
		h.looked[i%slots] = i == slot
	}
	h.totals.add(slot, s.Waiting, bad(&s.Totals))
	if h.begun {
		h.totals.done[slot%slots] += uint32(min((s.Totals.Acquisitions-h.done)/uint64(max(since, 1)), 1<<31))
	}
	h.begun, h.done = true, s.Totals.Acquisitions
	if h.names == nil {
		h.names = make(map[string]*track)
	}
	for i := range s.Resources {
		r := &s.Resources[i]
		t := h.names[r.Name]
		if t == nil {
			if r.Waiting == 0 && bad(&r.Counters) == 0 || len(h.names) >= maxTracked {
				continue
			}
			t = &track{}
			h.names[r.Name] = t
		}
		t.add(slot, r.Waiting, bad(&r.Counters))
		if t.seen > 0 {
			t.row = &manager.ResourceStats{
				Name: r.Name, Kind: r.Kind, KindName: r.KindName, Capacity: r.Capacity, Counters: r.Counters,
			}
		}
	}
	for name, t := range h.names {
		if t.advance(slot); t.last < slot-slots || t.seen == 0 && t.quiet() {
			delete(h.names, name)
		}
	}
}

// add notes what there is in a slot. Counters begin anew when a name comes into use again.
func (t *track) add(slot, waiting int64, bad uint64) {
	t.advance(slot)
	t.last = slot
	if bad < t.seen {
		t.seen = 0
	}
	i := slot % slots
	t.waiting[i] = max(t.waiting[i], uint32(min(waiting, 1<<31)))
	t.bad[i] += uint32(min(bad-t.seen, 1<<31))
	t.seen = bad
}

// advance clears the slots between the last and the current.
func (s *series) advance(slot int64) {
	for i := max(s.at+1, slot-slots+1); i <= slot; i++ {
		s.waiting[i%slots], s.bad[i%slots], s.done[i%slots] = 0, 0, 0
	}
	s.at = max(s.at, slot)
}

// quiet reports whether nothing has happened in the window.
func (s *series) quiet() bool {
	return s.waiting == [slots]uint32{} && s.bad == [slots]uint32{}
}

// recent is what went wrong in the window.
func (h *history) recent(name string) (n uint64) {
	t := h.names[name]
	if t == nil {
		return 0
	}
	for _, k := range t.bad {
		n += uint64(k)
	}
	return n
}

// gone yields the names that went wrong in the window and are not live any more. The statistics
// come sorted by name.
func (h *history) gone(s *manager.Stats) iter.Seq[*manager.ResourceStats] {
	return func(yield func(*manager.ResourceStats) bool) {
		for name, t := range h.names {
			if t.row == nil || h.recent(name) == 0 {
				continue
			}
			_, live := slices.BinarySearchFunc(s.Resources, name, func(r manager.ResourceStats, name string) int {
				return cmp.Compare(r.Name, name)
			})
			if !live && !yield(t.row) {
				return
			}
		}
	}
}
