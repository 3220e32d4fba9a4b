package harness

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report says under which circumstances figures were measured.
type Report struct {
	Machine  string
	Go       string
	Versions []string // of what was measured, in lines
	Date     time.Time
	Command  string
}

// NewReport describes this machine and this run.
func NewReport(command string) Report {
	return Report{
		Machine: fmt.Sprintf("%s, %d cores, %s/%s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		Go:      runtime.Version(),
		Date:    time.Now().UTC(),
		Command: command,
	}
}

// String is the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("%s, %s, %s", r.Machine, r.Go, r.Date.Format("2006-01-02"))
}

// processor returns the name of the processor where the system tells it in the way of Linux.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the name is left out
	for line := range strings.Lines(string(text)) {
		if key, name, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return "unnamed processor"
}

// Head writes the beginning of a report in Markdown: machine, versions, command, and which targets
// were missed.
func (r Report) Head(w io.Writer, vs []Verdict, quick bool) error {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n")
	for _, line := range slices.Concat([]string{"machine: " + r.Machine, r.Go}, r.Versions, []string{r.Date.Format(time.RFC3339), "`" + r.Command + "`"}) {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteByte('\n')
	if quick {
		b.WriteString("One short round each: this shows that the workloads run. The figures mean nothing.\n")
	} else {
		vs = slices.DeleteFunc(slices.Clone(vs), func(v Verdict) bool { return v.Check.NoTarget })
		fmt.Fprintf(&b, "%d of %d targets are met.", len(vs)-len(missed(vs)), len(vs))
		if len(missed(vs)) > 0 {
			b.WriteString(" Those that are not, and why:\n\n")
		}
		Missed(&b, vs)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Missed writes a list of the targets that are not met, and why, once for each case.
func Missed(w io.Writer, vs []Verdict) {
	list := missed(vs)
	for i, v := range list {
		fmt.Fprintf(w, "- %s, %s: %s (%s)", v.Suite, v.Check.What, Figure(v.Judged()), v.Check.target())
		if v.Why != "" && (i == len(list)-1 || list[i+1].Case != v.Case) {
			fmt.Fprintf(w, ". %s", v.Why)
		}
		fmt.Fprintln(w)
	}
}

// missed returns the verdicts that say so.
func missed(vs []Verdict) []Verdict {
	return slices.DeleteFunc(slices.Clone(vs), func(v Verdict) bool { return v.Met || v.Check.NoTarget })
}

// Markdown writes the table of verdicts and, below it, every figure of every side, median (smallest to largest).
func Markdown(w io.Writer, outs []Outcome, quick bool) error {
	var b strings.Builder
	b.WriteString("\n## Targets\n\nMedian of the rounds (smallest–largest); the ratio is taken within each round.\n")
	suite := ""
	for _, v := range Verdicts(outs) {
		if v.Suite != suite {
			suite = v.Suite
			fmt.Fprintf(&b, "\n| %s | ours | baseline | ratio | target | |\n|---|---|---|---|---|---|\n", suite)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(v.cells(quick), " | "))
	}
	answersMarkdown(&b, outs)
	b.WriteString("\n## All figures\n")
	for _, o := range outs {
		o.markdown(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown writes one case: a line for each side, a column for each figure.
func (o Outcome) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s: %s\n\n%s\n\n", o.Suite, o.Case.Name, o.Case.Models)
	if o.Err != nil {
		fmt.Fprintf(b, "FAILED: %v\n\n", o.Err)
	}
	if len(o.Rounds) == 0 {
		return
	}
	units := map[string]bool{}
	for _, round := range o.Rounds {
		for _, m := range round {
			for u := range m {
				units[u] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(units))
	fmt.Fprintf(b, "| | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, s := range o.Case.Sides {
		cells := []string{s.Name}
		for _, u := range names {
			var vs []float64
			for _, round := range o.Rounds {
				if x, ok := round[s.Name][u]; ok {
					vs = append(vs, x)
				}
			}
			cells = append(cells, NewSpread(vs).String())
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}
