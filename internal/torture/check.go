//go:build linux

package torture

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

// Violation is a promise that was broken.
type Violation struct {
	Check string
	Text  string
	Shown []event `json:"-"` // the shortest part of the history that shows it
}

// A check looks at one promise.
type check struct {
	name string
	text string
	find func(r *round, v *Verdict)
}

var checks = []check{
	{"exclusion", "no more permits are held than there are, by holders that look; a holder counts until it releases, is told, or its validity is over", checkExclusion},
	{"validity", "no holder believes in its lease for longer than the store keeps its grant", checkValidity},
	{"tokens", "tokens increase from grant to grant, and none is given out twice", checkTokens},
	{"fence", "a holder whose lease is valid before and after a write is not refused by the register", checkFence},
	{"order", "no request overtakes one that stood in the queue before it was started", checkOrder},
	{"least", "a name that is held at least for a time is granted to nobody before", checkLeast},
	{"told", "the context of a lost lease ends before the next grant, and before the validity is over", checkTold},
	{"wake-up", "a waiter is woken by the release, not by its heartbeat", checkWakeUp},
	{"progress", "a free name is granted to a waiter in bounded time, and at the end to all", checkProgress},
	{"linear", "the answers of all calls of a while could have come one after the other", checkLinear},
	{"answers", "acquires and releases fail for no reason but those that are expected", checkAnswers},
	{"left", "at the end all permits are free, and no key, file, connection or goroutine is left", checkLeft},
}

// Verdict is what was found in one round.
type Verdict struct {
	Store      string
	Seed       uint64
	Faults     map[string]int
	Operations map[string]int // outcomes of acquires
	Violations []Violation
	Counts     map[string]int             // of violations, by check
	Excused    int                        // overlaps after a fault that is outside of exclusion
	Stale      int                        // writes of holders that did not look, which the register refused
	Lost       int                        // leases
	Adopted    int                        // leases that went from process to process
	Margins    map[string][]time.Duration // by name
	Figures    map[string]int             // how much each check has compared
}

// most is how many violations of each check are kept. All are counted.
const most = 3

func (v *Verdict) violation(name string, shown []event, format string, args ...any) {
	v.Counts[name]++
	if v.Counts[name] <= most {
		v.Violations = append(v.Violations, Violation{Check: name, Text: fmt.Sprintf(format, args...), Shown: shown})
	}
}

// A Margin is a time between two events of which a report has all that were seen.
type Margin struct {
	Name    string
	Text    string
	Largest bool // the largest is told, not the least
}

var (
	marginRecord   = Margin{"record", "end of a holder's validity to the end of the store's record", false}
	marginLost     = Margin{"lost", "end of a lost lease to the next grant", false}
	marginValidity = Margin{"validity", "loss told to the end of the validity", false}
	marginNext     = Margin{"next", "loss told to the next grant", false}
	marginKill     = Margin{"kill", "kill of a holder to the next grant", true}
	marginWait     = Margin{"wait", "wait for a name that is free, less the faults", true}
)

// Margins returns all margins.
func Margins() []Margin {
	return []Margin{marginRecord, marginLost, marginValidity, marginNext, marginKill, marginWait}
}

func (v *Verdict) margin(m Margin, d time.Duration) { v.Margins[m.Name] = append(v.Margins[m.Name], d) }

// Told returns the one of the times that is told.
func (m Margin) Told(times []time.Duration) time.Duration {
	if m.Largest {
		return slices.Max(times)
	}
	return slices.Min(times)
}

// String is the margin in a table.
func (m Margin) String() string {
	if m.Largest {
		return m.Text + ", at most"
	}
	return m.Text + ", at least"
}

// Checks returns the names of the checks, in the order in which they are made.
func Checks() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

// judge checks a round.
func judge(r *round) *Verdict {
	r.read()
	v := &Verdict{
		Store: r.store, Seed: r.Seed, Faults: make(map[string]int), Operations: make(map[string]int),
		Counts: make(map[string]int), Margins: make(map[string][]time.Duration), Figures: make(map[string]int),
	}
	for _, f := range r.faults {
		v.Faults[f.Name]++
	}
	for _, w := range r.waits {
		end, _, _ := strings.Cut(w.end, ":")
		v.Operations[end]++
	}
	for _, h := range r.holds {
		if strings.HasPrefix(h.end, "lost") {
			v.Lost++
		}
	}
	for _, c := range checks {
		c.find(r, v)
	}
	return v
}

// show returns the events of holds, and the faults between the first and the last of them.
func (r *round) show(holds ...*hold) []event {
	var all []event
	from, to := int64(0), int64(0)
	for _, h := range holds {
		if from == 0 || h.From < from {
			from = h.From
		}
		to = max(to, min(h.to, h.At+int64(r.TTL)), h.At)
	}
	of := func(e event) bool {
		return slices.ContainsFunc(holds, func(h *hold) bool {
			return e.Process == h.Process && e.ID == h.ID && e.Name == h.Name && e.Kind != wrote ||
				e.Kind == died && e.Name == h.Process || e.Kind == placed && e.Name == h.Name && e.Token == h.Token
		})
	}
	for _, e := range r.events {
		if of(e) || e.Kind == fault && e.Until >= from && e.At <= to {
			all = append(all, e)
		}
	}
	return all
}

// checkExclusion walks through the grants of a name in order of time, and adds up what is held.
func checkExclusion(r *round, v *Verdict) {
	outside := r.outside()
	for _, holds := range r.byName() {
		var open []*hold
		for _, h := range holds {
			open = slices.DeleteFunc(open, func(o *hold) bool { return o.to <= h.At })
			if h.to == h.At {
				continue
			}
			var used, counted int64
			var against []*hold
			for _, o := range open {
				used += o.Weight
				if !r.excused(outside, o, h) {
					counted += o.Weight
					against = append(against, o)
				}
			}
			v.Figures["exclusion"]++
			switch {
			case counted+h.Weight > h.Cap:
				slices.SortFunc(against, func(a, b *hold) int { return cmp.Compare(b.Weight, a.Weight) })
				shown, sum := []*hold{h}, h.Weight
				for _, o := range against {
					if sum <= h.Cap {
						shown, sum = append(shown, o), sum+o.Weight
					}
				}
				v.violation("exclusion", r.show(shown...), "%d of %d permits of %q are held at once", counted+h.Weight, h.Cap, h.Name)
			case used+h.Weight > h.Cap:
				v.Excused++
			}
			open = append(open, h)
		}
		r.handOvers(holds, v)
	}
}

// excused reports whether two holds may overlap: the data was lost after the store was asked for one
// of them and before the other was granted, and the first ends within the time to live.
func (r *round) excused(outside []event, a, b *hold) bool {
	return slices.ContainsFunc(outside, func(f event) bool {
		return min(a.born, b.born) <= f.Until && max(a.At, b.At) >= f.At && min(a.to, b.to) <= f.Until+int64(r.TTL)
	})
}

// handOvers finds how near the end of a lost lease came to the next grant.
func (r *round) handOvers(holds []*hold, v *Verdict) {
	for i, h := range holds {
		if h.Weight != h.Cap || h.to == h.At || !h.killed && !strings.HasPrefix(h.end, "lost") || i+1 == len(holds) {
			continue
		}
		next := holds[i+1]
		if next.At >= h.to {
			v.margin(marginLost, time.Duration(next.At-h.to))
		}
	}
}

// checkTokens compares the tokens of grants of which the order is known: one had returned when the
// other was requested, or could not have been held together with it. After a loss of data it could,
// and a process hands on what it still holds, with tokens of before, until its next renewal.
func checkTokens(r *round, v *Verdict) {
	outside := r.outside()
	for _, holds := range r.byName() {
		events, byToken := recorded(holds)
		verdict := history.Check(events)
		if holds[0].Name == baton.name {
			v.Adopted = r.passed
		}
		v.Figures["tokens"] += len(events)
		for _, err := range verdict.Violations {
			var back *history.Regression
			var twice *history.Reuse
			switch {
			case errors.As(err, &back):
				before, after := back.Before, back.After
				h := byToken[after.Token]
				if !r.rewound(byToken[before.Token].born, h.At) && !slices.ContainsFunc(outside, func(f event) bool {
					return h.born <= f.Until && h.At >= f.At && (h.to == h.At || h.At <= f.Until+int64(r.TTL))
				}) {
					v.violation("tokens", r.show(byToken[before.Token], byToken[after.Token]), "token %d of %q is granted after token %d", after.Token, after.Name, before.Token)
				}
			case errors.As(err, &twice):
				if twice.Second.Holder == adopted {
					continue // by another process, with the same token
				}
				v.violation("tokens", r.show(r.withToken(twice.First.Name, twice.First.Token)...), "token %d of %q is given out twice", twice.First.Token, twice.First.Name)
			}
		}
	}
}

// rewind is for how long tokens may be ahead of a clock that was set back: by two steps of it.
func (r *round) rewind() int64 { return 3 * int64(r.TTL) }

// rewound reports whether a token given out by to may be smaller than one of from: between the two the
// data was lost, and there or shortly before the server's clock was set back.
func (r *round) rewound(from, to int64) bool {
	after := func(from int64) func(event) bool {
		return func(f event) bool { return f.At <= to && f.Until >= from }
	}
	loses := func(f Fault) bool { return f.Outside && f.Reach == 0 } // a clock that is ahead loses no tokens
	back := func(f Fault) bool { return f.Back }
	return slices.ContainsFunc(r.caused(loses), after(from)) && slices.ContainsFunc(r.caused(back), after(from-r.rewind()))
}

func (r *round) withToken(name string, token uint64) []*hold {
	var all []*hold
	for _, h := range r.holds {
		if h.Name == name && h.Token == token {
			all = append(all, h)
		}
	}
	return all
}

func checkFence(r *round, v *Verdict) {
	outside := r.outside()
	for _, e := range r.events {
		if e.Kind != wrote {
			continue
		}
		v.Figures["fence"]++
		switch e.Text {
		case "stale":
			v.Stale++
		case "refused":
			if r.rewound(e.At-r.rewind(), e.At) || slices.ContainsFunc(outside, func(f event) bool { return e.At >= f.At && e.At <= f.Until+int64(r.TTL) }) {
				v.Stale++ // a holder from before the loss, and one from after it
				continue
			}
			v.violation("fence", append(r.show(r.withToken(e.Name, e.Token)...), e), "a valid holder of %q is refused with token %d", e.Name, e.Token)
		}
	}
}

// checkOrder goes through the grants of a store by their tokens: a request with a smaller token must
// not have been started after one with a larger token stood in its queue. Tokens of before a loss of
// data tell nothing about those of after it, if the server's clock was stepped back as well, and for a
// time to live after it a process may hand on what it held before.
func checkOrder(r *round, v *Verdict) {
	outside := r.outside()
	type queue struct {
		name   string
		losses int // of data, before the requests
	}
	queues := make(map[queue][]event)
	for _, e := range r.events {
		if e.Kind != placed || slices.ContainsFunc(outside, func(f event) bool { return f.At <= e.At && f.Until+int64(r.TTL) >= e.From }) {
			continue
		}
		q := queue{name: e.Name}
		for _, f := range outside {
			if f.At < e.From {
				q.losses++
			}
		}
		queues[q] = append(queues[q], e)
	}
	order := func(a, b queue) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.losses, b.losses)) }
	for _, q := range slices.SortedFunc(maps.Keys(queues), order) {
		all := queues[q]
		slices.SortFunc(all, func(a, b event) int { return cmp.Compare(a.Token, b.Token) })
		var latest event // of those with smaller tokens, the one that was started last
		for _, e := range all {
			if e.Mid != 0 && r.lives(e) {
				v.Figures["order"]++
				if latest.From > e.Mid {
					v.violation("order", append(r.faultsIn(e.From, e.At), latest, e), "a request for %q of %s is granted before one of %s that was in the queue before it", q.name, latest.Process, e.Process)
				}
			}
			if e.From > latest.From {
				latest = e
			}
		}
	}
}

// lives reports whether a process was there all the time that a request of it waited: one that the
// store does not hear of for some heartbeats counts as dead, and loses its place. So does a request
// of which the data is lost.
func (r *round) lives(e event) bool {
	place, _, _ := strings.Cut(e.Process, ".")
	gone := func(f event) bool {
		f.Until += int64(r.Heartbeat) // it needs a moment to be there again
		return f.Until >= e.From && f.At <= e.At && f.Until-f.At >= int64(2*r.Heartbeat)
	}
	return !slices.ContainsFunc(r.faults, func(f event) bool {
		return (f.Text == "" || strings.HasPrefix(f.Text, place+".")) && gone(f)
	}) && !slices.ContainsFunc(r.lates, func(l event) bool { return l.Process == e.Process && gone(l) })
}

func (r *round) faultsIn(from, to int64) []event {
	var all []event
	for _, f := range r.faults {
		if f.Until >= from && f.At <= to {
			all = append(all, f)
		}
	}
	return all
}

func checkLeast(r *round, v *Verdict) {
	outside := r.outside()
	holds := r.byName()[hourly.name]
	for i, h := range holds[:max(0, len(holds)-1)] {
		next := holds[i+1]
		v.Figures["least"]++
		if left := time.Duration(next.At-h.From) - h.least; left < 0 &&
			!slices.ContainsFunc(outside, func(f event) bool { return f.Until >= h.From && f.At <= next.At }) {
			v.violation("least", r.show(h, next), "%q is granted %v before the end of %v", h.Name, -left, h.least)
		}
	}
}
