//go:build linux

package torture

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/history/linear"
)

// span is a time in which something was broken.
type span struct{ from, to int64 }

// sick returns the times in which a fault lasted or a process did not run, in order and disjoint,
// each prolonged by after.
func (r *round) sick(after time.Duration) []span {
	var all []span
	for _, events := range [][]event{r.faults, r.lates} {
		for _, e := range events {
			all = append(all, span{e.At, e.Until + int64(after)})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var merged []span
	for _, s := range all {
		if n := len(merged); n > 0 && s.from <= merged[n-1].to {
			merged[n-1].to = max(merged[n-1].to, s.to)
		} else {
			merged = append(merged, s)
		}
	}
	return merged
}

// healthy returns how much of a time was not sick.
func healthy(sick []span, from, to int64) time.Duration {
	if to <= from {
		return 0
	}
	d := to - from
	for _, s := range sick {
		if both := min(s.to, to) - max(s.from, from); both > 0 {
			d -= both
		}
	}
	return time.Duration(d)
}

// several reports for each acquire whether it wants several names.
func (r *round) several() map[key]bool {
	n := make(map[key]int)
	for _, w := range r.waits {
		n[key{process: w.Process, id: w.ID}]++
	}
	all := make(map[key]bool)
	for k, parts := range n {
		all[k] = parts > 1
	}
	return all
}

// checkWakeUp looks at the hand-overs from one process to another in healthy times. What takes half
// a heartbeat was not a wake-up. Few of them are the machine's.
func checkWakeUp(r *round, v *Verdict) {
	limit := r.Heartbeat / 2
	sick, several := r.sick(limit), r.several()
	waits := make(map[string][]*wait)
	for _, w := range r.waits {
		waits[w.Name] = append(waits[w.Name], w)
	}
	var all int
	var slow [][]*hold
	for name, holds := range r.byName() {
		if holds[0].Cap != 1 || name == hourly.name {
			continue
		}
		for i, h := range holds[:len(holds)-1] {
			next := holds[i+1]
			if h.end != "released" || next.Process == h.Process || several[key{process: next.Process, id: next.ID}] ||
				next.From > h.to || healthy(sick, h.to-int64(limit), next.At) < time.Duration(next.At-h.to)+limit {
				continue
			}
			all++
			if took := time.Duration(next.At - h.to); took > limit {
				slow = append(slow, []*hold{h, next})
			}
		}
	}
	v.Figures["wake-up"] += all
	if len(slow) >= 4 && len(slow) > all/5 {
		v.violation("wake-up", r.show(slow[0]...), "%d of %d hand-overs took more than %v", len(slow), all, limit)
	}
}

// bound is how long a request may wait for a free name, and stay without a grant of any name, while
// nothing is broken.
func (r *round) bound() (free, wait time.Duration) {
	return time.Duration(r.grace()) + 8*r.Heartbeat + 2*time.Second, 20 * time.Second
}

// single reports whether the name is never part of a request for several.
func single(name string) bool {
	return strings.HasPrefix(name, "long") || strings.HasPrefix(name, "window")
}

func checkProgress(r *round, v *Verdict) {
	sick, several := r.sick(0), r.several()
	free, longest := r.bound()
	holds := r.byName()
	latest := make(map[string][]int64) // by name: until when one of the first n holds was there
	for name, all := range holds {
		last := int64(0)
		for _, h := range all {
			last = max(last, h.freed)
			latest[name] = append(latest[name], last)
		}
	}
	for _, w := range r.waits {
		v.Figures["progress"]++
		if w.end == stuck {
			v.violation("progress", append(r.faultsIn(w.At, w.At+int64(r.TTL)), w.event), "a request for %q has not been granted, %v after the last fault", w.Name, patience)
			continue
		}
		if w.Try {
			continue
		}
		if d := healthy(sick, w.At, w.to); d > longest {
			v.violation("progress", append(r.faultsIn(w.At, w.to), w.event), "a request for %q has waited for %v without a fault", w.Name, d)
		}
		if w.hold == nil || several[key{process: w.Process, id: w.ID}] {
			continue
		}
		// Since when was the name free before this grant? Parts of requests for several names are
		// held before the history knows, so only those who are certain to have come later count.
		all := holds[w.Name]
		i, _ := slices.BinarySearchFunc(all, w.to, func(h *hold, at int64) int { return cmp.Compare(h.At, at) })
		since := w.At
		if i > 0 {
			since = max(since, latest[w.Name][i-1])
		}
		if single(w.Name) {
			d := healthy(sick, since, w.to)
			v.margin(marginWait, d)
			if d > free {
				v.violation("progress", append(r.faultsIn(since-int64(r.TTL), w.to), append(r.show(w.hold), w.event)...), "%q was free for %v without a fault while a request waited", w.Name, d)
			}
		}
	}
	for _, h := range r.killedBefore() {
		v.margin(marginKill, time.Duration(h.next.At-h.old.to))
	}
}

// succession is the hold after one whose process was killed.
type succession struct{ old, next *hold }

// killedBefore returns those who waited when the holder of a whole name was killed.
func (r *round) killedBefore() []succession {
	var all []succession
	for name, holds := range r.byName() {
		if !single(name) {
			continue
		}
		for i, h := range holds[:len(holds)-1] {
			if at, ok := r.died[h.Process]; ok && h.killed && holds[i+1].From < at {
				all = append(all, succession{h, holds[i+1]})
			}
		}
	}
	return all
}

// checkTold looks at leases that were lost while their process ran.
func checkTold(r *round, v *Verdict) {
	outside := r.outside()
	for _, holds := range r.byName() {
		for i, h := range holds {
			if h.toldAt == 0 || h.Weight != h.Cap {
				continue
			}
			if !r.ran(h.Process, h.toldAt-int64(r.TTL), h.toldAt) ||
				slices.ContainsFunc(outside, func(f event) bool { return f.Until >= h.From && f.At <= h.toldAt }) {
				continue
			}
			v.Figures["told"]++
			if h.toldUntil != 0 {
				v.margin(marginValidity, time.Duration(h.toldUntil-h.toldAt))
			}
			if i+1 < len(holds) {
				ahead := time.Duration(holds[i+1].At - h.toldAt)
				v.margin(marginNext, ahead)
				if ahead < -500*time.Millisecond { // a busy machine may keep a goroutine from running
					v.violation("told", r.show(h, holds[i+1]), "the context of the holder of %q ended %v after the next grant", h.Name, -ahead)
				}
			}
		}
	}
}

// ran reports whether the process ran all that time, as far as is known.
func (r *round) ran(process string, from, to int64) bool {
	place, _, _ := strings.Cut(process, ".")
	over := func(e event) bool { return e.At <= to && e.Until >= from }
	return !slices.ContainsFunc(r.faults, func(e event) bool {
		return over(e) && strings.Contains(e.Name, "stop") && strings.HasPrefix(e.Text, place)
	}) && !slices.ContainsFunc(r.lates, func(e event) bool { return over(e) && e.Process == process })
}

// checkLinear has every call of each window explained by one order. A grant that a loss of data may have
// ended is over at any time after it was requested. Where two servers grant there is no order of all
// calls, so these windows are left out.
func checkLinear(r *round, v *Verdict) {
	outside := r.outside()
	mayBeLost := func(h *hold) bool {
		return slices.ContainsFunc(outside, func(f event) bool { return f.At <= h.freed && f.Until+int64(r.TTL) >= h.born })
	}
	split := make(map[string]bool) // names
	splits := r.caused(func(f Fault) bool { return f.Split })
	for _, w := range r.waits {
		if slices.ContainsFunc(splits, func(f event) bool { return f.At <= w.to && f.Until+int64(r.TTL) >= w.At }) {
			split[w.Name] = true
		}
	}
	ops := make(map[string][]linear.Op)
	client := make(map[string]int)
	for _, w := range r.waits {
		if !strings.HasPrefix(w.Name, "window") || split[w.Name] {
			continue
		}
		if _, known := client[w.Process]; !known {
			client[w.Process] = len(client)
		}
		op := linear.Op{
			Client: client[w.Process], Name: w.Name, Capacity: w.Cap, Weight: w.Weight,
			Verb: linear.Acquire, Outcome: linear.Unknown, Call: w.At, Return: w.to,
		}
		if w.Try {
			op.Verb = linear.Try
		}
		switch {
		case w.hold != nil:
			op.Outcome, op.Token = linear.OK, w.hold.Token
		case w.end == "busy":
			op.Outcome = linear.Busy
		}
		ops[w.Name] = append(ops[w.Name], op)
		if h := w.hold; h != nil {
			end := linear.Op{
				Client: client[w.Process], Name: w.Name, Capacity: w.Cap,
				Verb: linear.Release, Outcome: linear.Unknown, Grant: h.Token, Call: h.At, Return: h.freed,
			}
			switch {
			case mayBeLost(h):
				end.Call = h.born
			case h.end == "released" && !h.killed:
				end.Outcome, end.Call = linear.OK, h.to
			}
			ops[w.Name] = append(ops[w.Name], end)
		}
	}
	for name, of := range ops {
		v.Figures["linear"] += len(of)
		if err := linear.Check(of, 30*time.Second); err != nil {
			v.violation("linear", r.shortest(name, of), "%v", err)
		}
	}
}

// shortest returns the events of the shortest beginning of the calls that no order explains.
func (r *round) shortest(name string, ops []linear.Op) []event {
	slices.SortFunc(ops, func(a, b linear.Op) int { return cmp.Compare(a.Return, b.Return) })
	low, high := 0, len(ops)
	for low < high-1 {
		if mid := (low + high) / 2; linear.Check(slices.Clone(ops[:mid]), 5*time.Second) == nil {
			low = mid
		} else {
			high = mid
		}
	}
	if high == 0 {
		return nil
	}
	last := ops[high-1]
	var all []event
	for _, e := range r.events {
		if e.At > last.Return-int64(r.TTL)/4 && e.At <= last.Return && (e.Name == name && e.Kind != wrote && e.Kind != looked || e.Kind == fault) {
			all = append(all, e)
		}
	}
	return all
}

func checkAnswers(r *round, v *Verdict) {
	settle := int64(2 * r.TTL)
	for _, w := range r.waits {
		v.Figures["answers"]++
		switch {
		case strings.HasPrefix(w.end, "unexpected"):
			v.violation("answers", []event{w.event}, "a request for %q fails: %s", w.Name, w.end)
		case w.end == "open":
			v.violation("answers", []event{w.event}, "a request for %q has no answer", w.Name)
		case w.end == "unavailable":
			if len(r.faultsIn(w.At-settle, w.to)) == 0 && healthy(r.sick(0), w.At-settle, w.to) == time.Duration(w.to-w.At+settle) {
				v.violation("answers", []event{w.event}, "a request for %q fails with ErrUnavailable, and nothing is broken", w.Name)
			}
		}
	}
	for _, h := range r.holds {
		if strings.Contains(h.end, ", release: unexpected") {
			v.violation("answers", r.show(h), "a release of %q fails: %s", h.Name, h.end)
		}
	}
}

func checkLeft(r *round, v *Verdict) {
	for _, e := range r.events {
		switch e.Kind {
		case harvest:
			v.violation("left", []event{e}, "%s", e.Text)
		case closed:
			v.Figures["left"]++
			if e.Text != "ok" {
				v.violation("left", []event{e}, "worker %s: %s", e.Process, e.Text)
			}
		}
	}
}
