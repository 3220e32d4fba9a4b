//go:build linux

// Command torturepage writes the section "A long run" of the page on the torture, and its pictures, from
// the report of a run:
//
//	torture -duration 30m -report report.json
//	go run ./cmd/torturepage -page ../docs/torture.md -plots ../docs/img report.json
//
// The section is the last one of the page. Several reports are added up, say of a run that could not be
// carried through and of one that went on with the next seed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/plots"
	"github.com/lockkeeper/lockkeeper/internal/torture"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "torturepage:", err)
		os.Exit(1)
	}
}

const heading = "## A long run\n"

func run(args []string, stderr io.Writer) error {
	set := flag.NewFlagSet("torturepage", flag.ContinueOnError)
	set.SetOutput(stderr)
	page := set.String("page", "", "the page, which has the section already")
	dir := set.String("plots", "", "the folder of the pictures")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() == 0 || *page == "" || *dir == "" {
		return errors.New("want -page, -plots and a report")
	}
	report, err := torture.ReadReport(set.Arg(0))
	if err != nil {
		return err
	}
	for _, name := range set.Args()[1:] {
		more, err := torture.ReadReport(name)
		if err != nil {
			return err
		}
		report.Add(more)
	}
	text, err := os.ReadFile(*page)
	if err != nil {
		return err
	}
	before, _, found := strings.Cut(string(text), heading)
	if !found {
		return fmt.Errorf("%s has no section %q", *page, strings.TrimSpace(heading))
	}
	way, err := filepath.Rel(filepath.Dir(*page), *dir)
	if err != nil {
		return err
	}
	pictures := histograms(report)
	if err := plots.Write(*dir, pictures); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(before + heading)
	section(&b, report, harness.NewReport(""))
	if err := plots.Markdown(&b, filepath.ToSlash(way), pictures); err != nil {
		return err
	}
	return os.WriteFile(*page, []byte(b.String()), 0o644)
}

// section writes what was found.
func section(b *strings.Builder, r *torture.Report, machine harness.Report) {
	c, stores := r.Config, slices.Sorted(maps.Keys(r.Verdicts))
	fmt.Fprintf(b, "\n`make torture-docs` writes this section. Last: %v, at once over %d stores, %d processes with %d goroutines for each, "+
		"in %d rounds with seeds from %d on; time to live %v, heartbeat %v; %v.\n",
		r.Duration, len(stores), c.Processes, c.Goroutines, r.Rounds, c.Seed, c.TTL, c.Heartbeat, machine)

	fmt.Fprintf(b, "\nViolations: %d.\n", r.Violations())
	for _, s := range stores {
		for _, v := range r.Verdicts[s].Violations {
			fmt.Fprintf(b, "\n- %s, %s: %s\n", s, v.Check, v.Text)
		}
	}

	each := func(what string, of func(*torture.Verdict) string) {
		b.WriteString("| " + what)
		for _, s := range stores {
			b.WriteString(" | " + of(r.Verdicts[s]))
		}
		b.WriteString(" |\n")
	}
	table := func(what string) {
		fmt.Fprintf(b, "\n| %s | %s |\n|---|%s\n", what, strings.Join(stores, " | "), strings.Repeat("---|", len(stores)))
	}
	count := func(of func(*torture.Verdict) int) func(*torture.Verdict) string {
		return func(v *torture.Verdict) string { return strconv.Itoa(of(v)) }
	}

	table("acquires that ended so")
	outcomes := make(map[string]bool)
	for _, v := range r.Verdicts {
		for k := range v.Operations {
			outcomes[k] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(outcomes)) {
		each(k, count(func(v *torture.Verdict) int { return v.Operations[k] }))
	}
	table("leases")
	each("lost", count(func(v *torture.Verdict) int { return v.Lost }))
	each("that went from process to process", count(func(v *torture.Verdict) int { return v.Adopted }))
	each("that overlapped after a loss of data", count(func(v *torture.Verdict) int { return v.Excused }))
	each("of which the register refused a stale write", count(func(v *torture.Verdict) int { return v.Stale }))

	table("fault")
	for _, name := range faults(r) {
		each(name, func(v *torture.Verdict) string {
			if slices.ContainsFunc(r.Faults[v.Store], func(f torture.Fault) bool { return f.Name == name }) {
				return strconv.Itoa(v.Faults[name])
			}
			return "–"
		})
	}
	table("check: compared")
	for _, name := range torture.Checks() {
		each(name, count(func(v *torture.Verdict) int { return v.Figures[name] }))
	}
	table("margin")
	for _, m := range torture.Margins() {
		each(m.String(), func(v *torture.Verdict) string {
			if times := v.Margins[m.Name]; len(times) > 0 {
				return plots.Round(m.Told(times)).String()
			}
			return "–"
		})
	}
}

// faults returns the names of all faults that were to happen, those of processes first.
func faults(r *torture.Report) []string {
	var names []string
	for _, s := range slices.Sorted(maps.Keys(r.Faults)) {
		for _, f := range r.Faults[s] {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// histograms returns a picture of each margin that was seen.
func histograms(r *torture.Report) []plots.Histogram {
	var all []plots.Histogram
	for _, m := range torture.Margins() {
		h := plots.Histogram{Name: "torture-" + m.Name, Title: strings.ToUpper(m.Text[:1]) + m.Text[1:]}
		for _, s := range slices.Sorted(maps.Keys(r.Verdicts)) {
			if times := r.Verdicts[s].Margins[m.Name]; len(times) > 0 {
				h.Series = append(h.Series, plots.Series{Heading: s, Times: times})
			}
		}
		if len(h.Series) > 0 {
			all = append(all, h)
		}
	}
	return all
}
