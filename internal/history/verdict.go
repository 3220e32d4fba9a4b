package history

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Verdict is what [Check] found.
type Verdict struct {
	Grants    int
	Names     int
	Processes map[string]int // grants of each process
	Holders   map[string]int // grants of each holder, as process/holder

	Overlaps    int // grants that made it too many
	Regressions int // grants with a smaller token than one before them
	Reuses      int // grants with a token that was given out before
	Mismatches  int // grants with another capacity than those they overlap
	Malformed   int // events that make no sense by themselves

	Open int // grants whose end is not known
	Died int // grants that ended with their process

	Violations []error // *Overlap, *Regression, *Reuse, *Mismatch, *Malformed: the first few of each

	Jain        float64       // over processes: 1 is fair, 1/n is all to one of n
	JainHolders float64       // over holders
	LongestWait time.Duration // from the call of Acquire to its return
	Elapsed     time.Duration // from the first grant to the last
	PerSecond   float64       // grants

	first, last int64
}

func newVerdict() *Verdict {
	return &Verdict{
		Processes: make(map[string]int), Holders: make(map[string]int),
		first: math.MaxInt64, last: math.MinInt64,
	}
}

// OK reports whether nothing was violated. A history without grants is not OK: it shows nothing.
func (v *Verdict) OK() bool { return v.Grants > 0 && len(v.Violations) == 0 }

// Err returns nil if the verdict is OK, else all the violations that it lists.
func (v *Verdict) Err() error {
	if v.Grants == 0 {
		return errors.New("history: there are no grants")
	}
	if v.OK() {
		return nil
	}
	return fmt.Errorf("history: %s:\n%w", v.faults(), errors.Join(v.Violations...))
}

// String tells the verdict in one line.
func (v *Verdict) String() string {
	return fmt.Sprintf("%d grants of %d names to %d holders in %d processes, %.0f/s, Jain index %.3f, %s",
		v.Grants, v.Names, len(v.Holders), len(v.Processes), v.PerSecond, v.Jain, v.faults())
}

func (v *Verdict) faults() string {
	var parts []string
	for _, f := range []struct {
		n    int
		what string
	}{
		{v.Overlaps, "overlaps"},
		{v.Regressions, "token regressions"},
		{v.Reuses, "tokens used twice"},
		{v.Mismatches, "capacity mismatches"},
		{v.Malformed, "malformed events"},
	} {
		if f.n > 0 || f.what == "overlaps" || f.what == "token regressions" {
			parts = append(parts, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	return strings.Join(parts, ", ")
}

func (v *Verdict) count(e *Event) {
	v.Grants++
	v.Processes[e.Process]++
	v.Holders[e.Process+"/"+e.Holder]++
	v.first, v.last = min(v.first, e.From), max(v.last, e.From)
	if e.Asked != 0 {
		v.LongestWait = max(v.LongestWait, time.Duration(e.From-e.Asked))
	}
	switch e.End {
	case Open:
		v.Open++
	case Died:
		v.Died++
	}
}

func (v *Verdict) add(violation error) {
	var n *int
	switch violation.(type) {
	case *Overlap:
		n = &v.Overlaps
	case *Regression:
		n = &v.Regressions
	case *Reuse:
		n = &v.Reuses
	case *Mismatch:
		n = &v.Mismatches
	default:
		n = &v.Malformed
	}
	if *n++; *n <= mostListed {
		v.Violations = append(v.Violations, violation)
	}
}

func (v *Verdict) finish() {
	v.Jain, v.JainHolders = JainOf(v.Processes), JainOf(v.Holders)
	if v.Grants > 1 {
		v.Elapsed = time.Duration(v.last - v.first)
		v.PerSecond = float64(v.Grants-1) / max(v.Elapsed, 1).Seconds()
	}
}

// JainOf returns the index of [Jain] for the values of a map.
func JainOf[K comparable](shares map[K]int) float64 {
	var all []float64
	for _, n := range shares {
		all = append(all, float64(n))
	}
	return Jain(all...)
}

// Jain returns how evenly something is shared out: (Σx)² / (n·Σx²), from 1 for equal shares down to 1/n when one
// has all. Without shares, or if all are zero, it is 1.
//
// R. Jain, D. Chiu, W. Hawe: A quantitative measure of fairness and discrimination for resource allocation in shared
// computer systems. DEC TR-301, 1984.
func Jain(shares ...float64) float64 {
	sum, squares := 0.0, 0.0
	for _, x := range shares {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(shares)) * squares)
}
