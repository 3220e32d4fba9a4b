//go:build linux

package torture

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Main is the main function of a program that tortures these stores: by default all but the extra
// ones, for a minute. It ends the process, with status 1 if a promise was broken.
func Main(stores ...Store) {
	Worker(stores...)
	c := Defaults()
	var only, faults []string
	var file string
	list := func(to *[]string) func(string) error {
		return func(s string) error { *to = strings.Split(s, ","); return nil }
	}
	flag.Uint64Var(&c.Seed, "seed", uint64(time.Now().UnixMilli()%1_000_000), "of the schedule of faults and of what the workers do")
	flag.DurationVar(&c.Duration, "duration", c.Duration, "of the whole run; more than a minute is several rounds")
	flag.IntVar(&c.Processes, "processes", c.Processes, "at a time, for each store")
	flag.IntVar(&c.Goroutines, "goroutines", c.Goroutines, "in each process")
	flag.DurationVar(&c.TTL, "ttl", c.TTL, "of leases")
	flag.DurationVar(&c.Heartbeat, "heartbeat", c.Heartbeat, "of clients that have one")
	flag.Func("store", "only these, separated by commas, or all", list(&only))
	flag.Func("faults", "only these, separated by commas", list(&faults))
	flag.StringVar(&c.Mutant, "mutant", "", "a seeded bug")
	flag.BoolVar(&c.Keep, "keep", false, "keep the histories though nothing was found")
	flag.StringVar(&file, "report", "", "write the report to this file, for the page of a long run")
	flag.Parse()
	c.Faults = faults
	stores = slices.DeleteFunc(stores, func(s Store) bool {
		return !slices.Contains(only, s.Name) && !slices.Contains(only, "all") && (len(only) > 0 || s.Extra)
	})
	os.Exit(run(c, stores, file))
}

func run(c Config, stores []Store, file string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := os.Stdout
	fmt.Fprintf(out, "torture: seed %d, %v, %d stores, %d processes × %d goroutines each\n",
		c.Seed, c.Duration, len(stores), c.Processes, c.Goroutines)
	report, err := Run(ctx, c, stores, out)
	if report.Rounds > 0 {
		report.Print(out)
		if file != "" {
			err = errors.Join(err, report.Write(file))
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "torture: after %d rounds: %v\n", report.Rounds, err)
		return 2
	}
	if !report.OK() {
		fmt.Fprintf(out, "\nFAILED, seed %d\n", c.Seed)
		return 1
	}
	fmt.Fprintf(out, "\nok: no violation in %d rounds, seed %d\n", report.Rounds, c.Seed)
	return 0
}
