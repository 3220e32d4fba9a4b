package harness

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// Table writes the verdicts as one table: what | ours | baseline | ratio | target | verdict. With quick set, the last
// column is empty: one short round proves that a workload runs, nothing more.
func Table(w io.Writer, vs []Verdict, quick bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	suite := ""
	for _, v := range vs {
		if v.Suite != suite {
			suite = v.Suite
			fmt.Fprintf(tw, "\n%s\tours\tbaseline\tratio\ttarget\t\n", strings.ToUpper(suite))
		}
		fmt.Fprintln(tw, strings.Join(v.cells(quick), "\t"))
	}
	return tw.Flush()
}

// cells returns the columns of a row.
func (v Verdict) cells(quick bool) []string {
	c := v.Check
	base, ratio := "", ""
	if v.Name != "" {
		base = fmt.Sprintf("%s %s", Figure(v.Base.Median), v.Name)
		if c.Scale != 0 {
			base = fmt.Sprintf("%s %g × %s", Figure(v.Base.Median), c.Scale, v.Name)
		}
		ratio = v.Ratio.String()
		if c.Added {
			ratio = "+ " + ratio
		}
	}
	return []string{c.What, v.Ours.String() + " " + c.Metric, base, ratio, c.target(), v.word(quick)}
}

// target says what was promised, as the table shows it.
func (c Check) target() string {
	if c.NoTarget {
		return ""
	}
	sign := "≤"
	if c.Direction == AtLeast {
		sign = "≥"
	}
	s := fmt.Sprintf("%s %g", sign, c.Bound)
	switch {
	case c.Added:
		s = fmt.Sprintf("%s + %g", sign, c.Bound)
	case len(c.Base) > 0:
		s += " ×"
	}
	switch {
	case c.Worst:
		s += " always"
	case c.Minimum:
		s += " of minima"
	}
	return s
}

// word says how it went.
func (v Verdict) word(quick bool) string {
	switch {
	case v.Err != nil:
		return "FAILED"
	case v.Check.NoTarget || quick:
		return ""
	case v.Met:
		return "met"
	default:
		return "NOT MET"
	}
}

// String returns the median with smallest and largest.
func (s Spread) String() string {
	if s.Min == s.Max || math.IsNaN(s.Median) {
		return Figure(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", Figure(s.Median), Figure(s.Min), Figure(s.Max))
}

// Figure writes a number with about three digits that say something.
func Figure(x float64) string {
	a := math.Abs(x)
	switch {
	case math.IsNaN(x):
		return "–"
	case a >= 1e7:
		return fmt.Sprintf("%.3gM", x/1e6)
	case a >= 100 || x == math.Trunc(x):
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", x)
	default:
		return fmt.Sprintf("%.2g", x)
	}
}
