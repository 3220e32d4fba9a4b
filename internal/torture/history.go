//go:build linux

package torture

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

// round is a round that was played, and what its events say.
type round struct {
	Config
	store  string
	start  int64
	steps  []Step
	events []event

	holds  []*hold          // by the time of their grant
	waits  []*wait          // by the time of their request
	faults []event          // that happened
	lates  []event          // processes that did not run
	died   map[string]int64 // process → time
	passed int              // leases that went from process to process
}

// hold is one grant of one name.
type hold struct {
	event           // granted
	born      int64 // the store was asked for the grant, which may have served other holders of the process
	to        int64 // its holder relied on it, or was entitled to, until then
	freed     int64 // the store was told, or knew without; for the check of progress
	end       string
	least     time.Duration
	looks     []look // by time
	toldAt    int64  // its context ended by a loss
	toldUntil int64  // and it was valid until then, if that was the reason
	killed    bool
}

// wait is a request for one name, until its answer.
type wait struct {
	event // asked
	to    int64
	end   string
	hold  *hold
}

type key struct {
	process string
	id      int64
	name    string
}

// expires reports whether the leases of the store do.
func (h *hold) expires() bool { return h.Until != 0 }

// read makes holds and waits of the events.
func (r *round) read() {
	holds, waits := make(map[key]*hold), make(map[key]*wait)
	r.died = make(map[string]int64)
	var last int64
	for _, e := range r.events {
		last = max(last, e.At)
		k := key{e.Process, e.ID, e.Name}
		h, w := holds[k], waits[k]
		switch e.Kind {
		case asked:
			w = &wait{event: e, to: math.MaxInt64}
			waits[k] = w
			r.waits = append(r.waits, w)
		case failed:
			w.to, w.end = e.At, e.Text
		case granted:
			h = &hold{event: e, to: math.MaxInt64, freed: math.MaxInt64, least: time.Duration(e.Mid)}
			holds[k] = h
			r.holds = append(r.holds, h)
			w.to, w.end, w.hold = e.At, "granted", h
		case looked:
			if e.Until == 0 {
				break
			}
			h.looks = append(h.looks, look{e.At, e.Until})
			if h.end == "" {
				h.Until = e.Until
			}
		case told:
			h.toldAt, h.toldUntil = e.At, e.Until
		case ended:
			if h.end == "" {
				h.to, h.end = e.At, e.Text
			}
		case freed:
			h.freed = e.At
			if h.end == detach { // the ticket is there: it is good for the time to live
				h.freed += r.grace()
			} else if e.Text != "ok" {
				h.end += ", release: " + e.Text
				h.freed += r.grace()
			}
		case fault:
			r.faults = append(r.faults, e)
		case late:
			r.lates = append(r.lates, e)
		case died:
			r.died[e.Name] = e.At
		}
	}
	for _, h := range r.holds {
		if at, ok := r.died[h.Process]; ok && h.freed == math.MaxInt64 {
			h.killed = true
			h.freed = max(at, h.At)
			if h.to == math.MaxInt64 {
				h.to, h.end = h.freed, "killed"
			}
			if h.expires() {
				h.freed += r.grace()
			}
		}
		if h.Until != 0 {
			h.to = min(h.to, h.Until)
		}
		if h.toldAt != 0 {
			h.to = min(h.to, h.toldAt)
		}
		h.to = max(h.to, h.At) // it was over when it came: held for no time
	}
	r.bear()
	r.join()
	for _, w := range r.waits {
		if w.to == math.MaxInt64 {
			w.to, w.end = r.died[w.Process], "killed"
			if w.to == 0 {
				w.to, w.end = last, "open"
			}
		}
	}
}

// bear finds for each hold when the store was asked for its grant: the last one of its process whose
// first token is not larger.
func (r *round) bear() {
	type of struct{ process, name string }
	grants := make(map[of][]event)
	for _, e := range r.events {
		if e.Kind == placed {
			grants[of{e.Process, e.Name}] = append(grants[of{e.Process, e.Name}], e)
		}
	}
	for _, all := range grants {
		slices.SortFunc(all, func(a, b event) int { return cmp.Compare(a.Token, b.Token) })
	}
	for _, h := range r.holds {
		all := grants[of{h.Process, h.Name}]
		i, _ := slices.BinarySearchFunc(all, h.Token+1, func(e event, token uint64) int { return cmp.Compare(e.Token, token) })
		h.born = h.From
		if i > 0 {
			h.born = min(h.From, all[i-1].From)
		}
	}
}

// join has a lease that was detached be held until its adopter's lease begins: nobody else may be
// granted the name in between.
func (r *round) join() {
	type grant struct {
		name  string
		token uint64
	}
	left := make(map[grant]*hold)
	for _, h := range r.holds {
		k := grant{h.Name, h.Token}
		if old := left[k]; h.Text == adopted && old != nil && h.to > h.At {
			old.to, old.freed, h.born = max(old.to, h.At), max(old.freed, h.At), old.born
			r.passed++
		}
		if h.end == detach {
			left[k] = h
		}
	}
}

// grace is how long the store keeps a grant whose holder is gone, at most.
func (r *round) grace() int64 { return int64(r.TTL + r.TTL/10 + 100*time.Millisecond) }

// outside returns the faults that excuse an overlap.
func (r *round) outside() []event { return r.caused(func(f Fault) bool { return f.Outside }) }

// caused returns the faults that happened, of those that are like this, each as long as its reach.
func (r *round) caused(like func(f Fault) bool) []event {
	such := make(map[string]Fault)
	for _, s := range r.steps {
		if like(s.Fault) {
			such[s.Fault.Name] = s.Fault
		}
	}
	var all []event
	for _, f := range r.faults {
		if is, found := such[f.Name]; found {
			f.Until += int64(is.Reach)
			all = append(all, f)
		}
	}
	return all
}

// byName returns the holds of each name.
func (r *round) byName() map[string][]*hold {
	all := make(map[string][]*hold)
	for _, h := range r.holds {
		all[h.Name] = append(all[h.Name], h)
	}
	return all
}

// recorded returns the holds of a name as package history has them.
func recorded(holds []*hold) ([]history.Event, map[uint64]*hold) {
	var events []history.Event
	byToken := make(map[uint64]*hold)
	for _, h := range holds {
		byToken[h.Token] = h
		if h.to == h.At {
			continue // over when it came, after a pause say: when it was granted is not known
		}
		events = append(events, history.Event{
			Grant:   history.Grant{Name: h.Name, Capacity: h.Cap, Weight: h.Weight, Token: h.Token, Holder: h.Text, Asked: h.From},
			Process: h.Process, From: h.At, To: h.to, End: history.Released,
		})
	}
	return events, byToken
}
