//go:build linux

package torture

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what was found in all rounds.
type Report struct {
	Config   Config
	Rounds   int
	Stores   []Store
	Verdicts map[string]*Verdict // by store, added up
}

// OK reports whether nothing was found.
func (r *Report) OK() bool { return r.violations() == 0 }

func (r *Report) violations() int {
	n := 0
	for _, v := range r.Verdicts {
		for _, c := range v.Counts {
			n += c
		}
	}
	return n
}

func (r *Report) faultsOf(store string) []Fault { return r.Config.faults(find(r.Stores, store)) }

// add adds the verdict of a round to those before it.
func (r *Report) add(v *Verdict) {
	old := r.Verdicts[v.Store]
	if old == nil {
		r.Verdicts[v.Store] = v
		return
	}
	for _, m := range []struct{ to, from map[string]int }{
		{old.Faults, v.Faults}, {old.Operations, v.Operations}, {old.Counts, v.Counts}, {old.Figures, v.Figures},
	} {
		for k, n := range m.from {
			m.to[k] += n
		}
	}
	old.Violations = append(old.Violations, v.Violations...)
	old.Excused += v.Excused
	old.Stale += v.Stale
	old.Lost += v.Lost
	for k, d := range v.Margins {
		if _, known := old.Margins[k]; !known {
			old.Margins[k] = d
		} else if largest(k) {
			old.Margins[k] = max(old.Margins[k], d)
		} else {
			old.Margins[k] = min(old.Margins[k], d)
		}
	}
}

// largest reports whether of this margin the largest is told.
func largest(name string) bool {
	return name == marginWait || name == marginKill
}

// Print writes the summary.
func (r *Report) Print(to io.Writer) {
	for _, store := range slices.Sorted(maps.Keys(r.Verdicts)) {
		v := r.Verdicts[store]
		fmt.Fprintf(to, "\n%s\n\n", store)
		table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		fmt.Fprintf(table, "  fault\tcount\texclusion without fencing\n")
		for _, f := range r.faultsOf(store) {
			outside := "holds"
			if f.Outside {
				outside = "not promised: it loses " + f.Why
			}
			fmt.Fprintf(table, "  %s\t%d\t%s\n", f.Name, v.Faults[f.Name], outside)
		}
		fmt.Fprintf(table, "\n  acquires\tcount\n")
		for _, k := range slices.Sorted(maps.Keys(v.Operations)) {
			fmt.Fprintf(table, "  %s\t%d\n", k, v.Operations[k])
		}
		fmt.Fprintf(table, "  leases lost\t%d\n", v.Lost)
		fmt.Fprintf(table, "  leases that went from process to process\t%d\n", v.Figures["adopted"])
		fmt.Fprintf(table, "  stale writes refused\t%d\n", v.Stale)
		fmt.Fprintf(table, "  overlaps after a loss of data\t%d\n", v.Excused)
		fmt.Fprintf(table, "\n  check\tcompared\tviolations\n")
		for _, c := range checks {
			fmt.Fprintf(table, "  %s\t%d\t%d\n", c.name, v.Figures[c.name], v.Counts[c.name])
		}
		fmt.Fprintf(table, "\n  margin\t\n")
		for _, k := range slices.Sorted(maps.Keys(v.Margins)) {
			which := "least"
			if largest(k) {
				which = "most"
			}
			fmt.Fprintf(table, "  %s\t%s %v\n", k, which, v.Margins[k].Round(10*time.Microsecond))
		}
		_ = table.Flush()
	}
}

// PrintViolations writes what was found in one round, with the history that shows it.
func (v *Verdict) PrintViolations(to io.Writer, start int64) {
	for _, violation := range v.Violations {
		fmt.Fprintf(to, "\nVIOLATION of %s, store %s, seed %d: %s\n", violation.Check, v.Store, v.Seed, violation.Text)
		const longest = 60
		for i, e := range violation.Shown {
			if i == longest {
				fmt.Fprintf(to, "    … and %d more\n", len(violation.Shown)-longest)
				break
			}
			fmt.Fprintf(to, "    %s\n", e.show(start))
		}
	}
}
