// Command lkbench measures lockkeeper beside its peers and prints one table: what, ours, baseline, ratio, target,
// and whether the target is met.
//
//	go run ./cmd/lkbench                          # everything, some minutes
//	go run ./cmd/lkbench -suite inprocess,actor   # some suites
//	go run ./cmd/lkbench -quick                   # one short round of everything: does it still run?
//	go run ./cmd/lkbench -md report.md            # a report with every figure as well
//	go run ./cmd/lkbench -md r.md -plots img      # and with pictures
//	go run ./cmd/lkbench -gobench new.txt         # every round, for benchstat old.txt new.txt
//
// It exits with status 0 also if targets are missed; with 1 if a workload fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/plots"
	"github.com/lockkeeper/lockkeeper/bench/suites"
)

func main() {
	harness.Dispatch(suites.Parts())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// flags are what the user chose.
type flags struct {
	suites  string
	match   string
	md      string
	plots   string
	gobench string
	profile string
	opts    harness.Options
}

func parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("lkbench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.suites, "suite", "all", "comma-separated: "+strings.Join(suites.Names(), ", "))
	set.StringVar(&f.match, "run", "", "only cases whose name matches this regular expression")
	set.BoolVar(&f.opts.Quick, "quick", false, "one short round, no verdict")
	set.IntVar(&f.opts.Rounds, "rounds", 5,
		"measured rounds of each case; where a minimum is taken, at least 15, shorter ones in return")
	set.DurationVar(&f.opts.Duration, "time", 300*time.Millisecond, "of one measured window")
	set.StringVar(&f.md, "md", "", "write a Markdown report to this file")
	set.StringVar(&f.plots, "plots", "", "write pictures (SVG) to this folder, for the report")
	set.StringVar(&f.gobench, "gobench", "", "write every round to this file, for benchstat")
	set.StringVar(&f.profile, "cpuprofile", "", "write a CPU profile of this process to this file")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.opts.Rounds < 1 || f.opts.Duration <= 0 || set.NArg() > 0 {
		return f, fmt.Errorf("lkbench: want at least one round, a positive time and no arguments: %q", args)
	}
	if f.opts.Quick {
		f.opts.Duration = 5 * time.Millisecond
	}
	re, err := regexp.Compile(f.match)
	if err != nil {
		return f, fmt.Errorf("lkbench: -run: %w", err)
	}
	f.opts.Match = re.MatchString
	f.opts.Progress = stderr
	if file, ok := stderr.(*os.File); ok {
		info, err := file.Stat()
		f.opts.Live = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return f, nil
}

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	chosen, err := suites.Choose(f.suites)
	if err != nil {
		fmt.Fprintln(stderr, "lkbench:", err)
		return 2
	}
	outs, err := profiled(f.profile, func() ([]harness.Outcome, error) { return harness.Run(ctx, chosen, f.opts) })
	report := harness.NewReport("lkbench " + strings.Join(args, " "))
	report.Versions = suites.Versions()
	fmt.Fprintln(stdout, report)
	vs := harness.Verdicts(outs)
	if terr := harness.Table(stdout, vs, f.opts.Quick); err == nil {
		err = terr
	}
	if aerr := harness.Answers(stdout, outs); err == nil {
		err = aerr
	}
	if werr := f.write(report, outs); err == nil {
		err = werr
	}
	if err != nil {
		fmt.Fprintln(stderr, "lkbench:", err)
		return 1
	}
	return summary(stdout, outs, vs, f.opts.Quick)
}

// summary writes the closing lines and returns the exit status.
func summary(w io.Writer, outs []harness.Outcome, vs []harness.Verdict, quick bool) int {
	failed := 0
	for _, o := range outs {
		if o.Err != nil {
			failed++
			fmt.Fprintf(w, "\nFAILED %s: %s: %v\n", o.Suite, o.Case.Name, o.Err)
		}
	}
	vs = slices.DeleteFunc(vs, func(v harness.Verdict) bool { return v.Check.NoTarget || v.Err != nil })
	missed := slices.DeleteFunc(slices.Clone(vs), func(v harness.Verdict) bool { return v.Met })
	if !quick {
		fmt.Fprintf(w, "\n%d of %d targets met\n", len(vs)-len(missed), len(vs))
		harness.Missed(w, missed)
	}
	if failed > 0 {
		return 1
	}
	return 0
}

// write writes the files that were asked for.
func (f flags) write(r harness.Report, outs []harness.Outcome) error {
	var charts []plots.Chart
	var pictures string // the way to them from the report
	if f.plots != "" {
		charts = plots.Charts(outs)
		if err := plots.Write(f.plots, charts); err != nil {
			return err
		}
		way, err := filepath.Rel(filepath.Dir(f.md), f.plots)
		if err != nil {
			return err
		}
		pictures = filepath.ToSlash(way)
	}
	if f.gobench != "" {
		if err := create(f.gobench, func(w io.Writer) error { return harness.GoBench(w, outs) }); err != nil {
			return err
		}
	}
	if f.md == "" {
		return nil
	}
	return create(f.md, func(w io.Writer) error {
		if err := r.Head(w, harness.Verdicts(outs), f.opts.Quick); err != nil {
			return err
		}
		if err := plots.Markdown(w, pictures, charts); err != nil {
			return err
		}
		return harness.Markdown(w, outs, f.opts.Quick)
	})
}

// create makes a file of what fill writes.
func create(name string, fill func(io.Writer) error) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return fill(file)
}

// profiled runs fn, under the CPU profiler if a file is named.
func profiled(name string, fn func() ([]harness.Outcome, error)) ([]harness.Outcome, error) {
	if name == "" {
		return fn()
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		_ = file.Close()
		return nil, err
	}
	outs, err := fn()
	pprof.StopCPUProfile()
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return outs, err
}
