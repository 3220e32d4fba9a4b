package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

// writeVerdict tells people what was checked, and what came out.
func writeVerdict(w io.Writer, v *Verdict, s Scene, p palette) {
	out := new(strings.Builder) // a writer that fits lines takes whole ones
	defer func() { _, _ = io.WriteString(w, out.String()) }()
	h := v.History
	say := func(good bool, format string, args ...any) {
		mark := p.good + "ok  " + p.off
		if !good {
			mark = p.bad + "BAD " + p.off
		}
		fmt.Fprintf(out, "  "+mark+" "+format+"\n", args...)
	}
	fmt.Fprintf(out, "\nchecked %s grants of %d names in %d processes:\n", thousands(uint64(h.Grants)), h.Names, len(h.Processes))
	for _, c := range v.Counters {
		note := ""
		if c.Inherited > 0 {
			note = fmt.Sprintf(" (%d written by the killed process in its last moment)", c.Inherited)
		}
		say(len(v.Faults) == 0, "counter %s: %s, every grant has counted once%s", c.Name, thousands(c.Value), note)
	}
	say(h.Overlaps == 0, "two holders at a time: %d", h.Overlaps)
	say(h.Regressions+h.Reuses == 0, "tokens that did not increase: %d", h.Regressions+h.Reuses)
	say(h.Mismatches+h.Malformed+h.Open == 0, "records that make no sense: %d", h.Mismatches+h.Malformed+h.Open)
	shares := shares(s, h)
	fmt.Fprintf(out, "\n  share of each place:")
	all := make([]float64, 0, len(shares))
	for _, n := range shares {
		fmt.Fprintf(out, "  %.1f %%", 100*n/float64(max(h.Grants, 1)))
		all = append(all, n)
	}
	fmt.Fprintf(out, "  (Jain index %.3f)\n", history.Jain(all...))
	fmt.Fprintf(out, "  %s grants per second, longest wait %v\n", thousands(uint64(h.PerSecond)), h.LongestWait.Round(100_000))
	for _, f := range v.Faults {
		fmt.Fprintf(out, "\n%s%s%s", p.bad, f, p.off)
	}
	if v.OK() {
		fmt.Fprintf(out, "\n%sVERDICT: correct%s\n", p.good, p.off)
		return
	}
	if err := h.Err(); err != nil {
		fmt.Fprintf(out, "\n%s%v%s", p.bad, err, p.off)
	}
	fmt.Fprintf(out, "\n%sVERDICT: VIOLATED%s\n", p.bad, p.off)
}

// shares adds a process that took another's place to that place.
func shares(s Scene, h *history.Verdict) []float64 {
	var all []float64
	place := make(map[string]int)
	for _, w := range s.Workers {
		if w.Replaces == "" {
			place[w.Process] = len(all)
			all = append(all, 0)
		} else {
			place[w.Process] = place[w.Replaces]
		}
		all[place[w.Process]] += float64(h.Processes[w.Process])
	}
	return all
}
