//go:build linux

package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what was found in all rounds.
type Report struct {
	Config   Config
	Rounds   int
	Duration time.Duration       // of all rounds
	Faults   map[string][]Fault  // that were to happen, by store
	Verdicts map[string]*Verdict // by store, added up
}

func newReport(c Config, stores []Store) *Report {
	r := &Report{Config: c, Faults: make(map[string][]Fault), Verdicts: make(map[string]*Verdict)}
	for _, s := range stores {
		r.Faults[s.Name] = c.faults(s)
	}
	return r
}

// Write writes the report to a file, for [ReadReport].
func (r *Report) Write(name string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o600)
}

// ReadReport reads what [Report.Write] has written, which has no parts of the history.
func ReadReport(name string) (*Report, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	return r, nil
}

// OK reports whether nothing was found.
func (r *Report) OK() bool { return r.Violations() == 0 }

// Violations returns how many there were.
func (r *Report) Violations() int {
	n := 0
	for _, v := range r.Verdicts {
		for _, c := range v.Counts {
			n += c
		}
	}
	return n
}

// Add adds the rounds of another run of the same stores.
func (r *Report) Add(more *Report) {
	r.Rounds += more.Rounds
	r.Duration += more.Duration
	for _, v := range more.Verdicts {
		r.add(v)
	}
}

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
	old.Adopted += v.Adopted
	for k, all := range v.Margins {
		old.Margins[k] = append(old.Margins[k], all...)
	}
}

// Print writes the summary.
func (r *Report) Print(to io.Writer) {
	for _, store := range slices.Sorted(maps.Keys(r.Verdicts)) {
		v := r.Verdicts[store]
		fmt.Fprintf(to, "\n%s\n\n", store)
		table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		fmt.Fprintf(table, "  fault\tcount\texclusion without fencing\n")
		for _, f := range r.Faults[store] {
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
		fmt.Fprintf(table, "  leases that went from process to process\t%d\n", v.Adopted)
		fmt.Fprintf(table, "  stale writes refused\t%d\n", v.Stale)
		fmt.Fprintf(table, "  overlaps after a loss of data\t%d\n", v.Excused)
		fmt.Fprintf(table, "\n  check\tcompared\tviolations\n")
		for _, c := range checks {
			fmt.Fprintf(table, "  %s\t%d\t%d\n", c.name, v.Figures[c.name], v.Counts[c.name])
		}
		fmt.Fprintf(table, "\n  margin\t\n")
		for _, m := range Margins() {
			if times := v.Margins[m.Name]; len(times) > 0 {
				fmt.Fprintf(table, "  %v\t%v\n", m, m.Told(times).Round(10*time.Microsecond))
			}
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
