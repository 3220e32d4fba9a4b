package history

import (
	"cmp"
	"maps"
	"slices"
)

// mostListed is how many violations of each kind a verdict shows. All are counted.
const mostListed = 10

// Check says whether the events could have come from a lock that keeps its promises. It takes time
// in proportion to n·log n, for n events.
func Check(events []Event) *Verdict {
	v := newVerdict()
	byName := make(map[string][]*Event)
	for i := range events {
		e := &events[i]
		v.count(e)
		if malformed(e) {
			v.add(&Malformed{*e})
			continue
		}
		byName[e.Name] = append(byName[e.Name], e)
	}
	v.Names = len(byName)
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		of := byName[name]
		slices.SortStableFunc(of, func(a, b *Event) int { return cmp.Compare(a.From, b.From) })
		v.checkExclusion(of)
		v.checkReuse(of)
		v.checkOrderOfCalls(of)
		v.checkOrderOfHolds(of)
	}
	v.finish()
	return v
}

func malformed(e *Event) bool {
	return e.To < e.From || e.Asked > e.From || e.Weight < 1 || e.Weight > e.Capacity || e.Token == 0
}

// checkExclusion walks through the begins and ends of all holds of one name, in order of time, and adds up. A hold
// that ends when another begins does not overlap it.
func (v *Verdict) checkExclusion(byFrom []*Event) {
	byTo := slices.Clone(byFrom)
	slices.SortStableFunc(byTo, func(a, b *Event) int { return cmp.Compare(a.To, b.To) })
	holding := make(map[*Event]bool)
	used := int64(0)
	for _, e := range byFrom {
		for ; len(byTo) > 0 && byTo[0].To <= e.From && byTo[0] != e; byTo = byTo[1:] {
			if holding[byTo[0]] {
				delete(holding, byTo[0])
				used -= byTo[0].Weight
			}
		}
		if e.To == e.From {
			continue // held for no time at all
		}
		for h := range holding {
			if h.Capacity != e.Capacity {
				v.add(&Mismatch{*h, *e})
				break
			}
		}
		holding[e] = true
		if used += e.Weight; used > e.Capacity {
			v.add(&Overlap{Used: used, Holders: sortedHolders(holding)})
		}
	}
}

// sortedHolders lists a few holders, the latest first: one of them is who should not have been granted.
func sortedHolders(holding map[*Event]bool) []Event {
	var all []Event
	for h := range holding {
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b Event) int { return cmp.Compare(b.From, a.From) })
	return all[:min(len(all), mostListed)]
}

func (v *Verdict) checkReuse(events []*Event) {
	first := make(map[uint64]*Event, len(events))
	for _, e := range events {
		if f := first[e.Token]; f != nil {
			v.add(&Reuse{*f, *e})
		} else {
			first[e.Token] = e
		}
	}
}

// checkOrderOfCalls finds a grant whose token is smaller than that of one that had returned before it was asked for.
func (v *Verdict) checkOrderOfCalls(byFrom []*Event) {
	byAsked := slices.DeleteFunc(slices.Clone(byFrom), func(e *Event) bool { return e.Asked == 0 })
	slices.SortStableFunc(byAsked, func(a, b *Event) int { return cmp.Compare(a.Asked, b.Asked) })
	var largest *Event // of those that had returned
	for _, e := range byAsked {
		for ; len(byFrom) > 0 && byFrom[0].From < e.Asked; byFrom = byFrom[1:] {
			if largest == nil || byFrom[0].Token > largest.Token {
				largest = byFrom[0]
			}
		}
		if largest != nil && e.Token < largest.Token {
			v.add(&Regression{*largest, *e})
		}
	}
}

// checkOrderOfHolds finds a grant whose token is smaller than that of one which had ended when it returned, and which it
// could not have held together with.
func (v *Verdict) checkOrderOfHolds(byFrom []*Event) {
	byTo := slices.Clone(byFrom)
	slices.SortStableFunc(byTo, func(a, b *Event) int { return cmp.Compare(a.To, b.To) })
	largest := make(map[int64]*Event) // of those that had ended, by weight: weights are few
	for _, e := range byFrom {
		for ; byTo[0].To < e.From; byTo = byTo[1:] {
			if l := largest[byTo[0].Weight]; l == nil || byTo[0].Token > l.Token {
				largest[byTo[0].Weight] = byTo[0]
			}
		}
		for weight, l := range largest {
			if weight > e.Capacity-e.Weight && e.Token < l.Token && !(e.Asked != 0 && l.From < e.Asked) {
				v.add(&Regression{*l, *e}) // unless the order of the calls shows it already
				break
			}
		}
	}
}
