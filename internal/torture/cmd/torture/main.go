//go:build linux

// Command torture breaks things while processes use locks, and checks every history: see package
// torture. It exits with 1 if a promise was broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/torture"
)

func main() {
	stores := []torture.Store{torture.Files(), torture.Redis()}
	torture.Worker(stores...)
	c := torture.Defaults()
	only := ""
	faults := ""
	flag.Uint64Var(&c.Seed, "seed", uint64(time.Now().UnixMilli()%1_000_000), "of the schedule of faults and of what the workers do")
	flag.DurationVar(&c.Duration, "duration", c.Duration, "of the whole run; more than a minute is several rounds")
	flag.IntVar(&c.Processes, "processes", c.Processes, "at a time, for each store")
	flag.IntVar(&c.Goroutines, "goroutines", c.Goroutines, "in each process")
	flag.DurationVar(&c.TTL, "ttl", c.TTL, "of leases")
	flag.StringVar(&only, "store", "", "only this one")
	flag.StringVar(&faults, "faults", "", "only these, separated by commas")
	flag.StringVar(&c.Mutant, "mutant", "", "a seeded bug")
	flag.BoolVar(&c.Keep, "keep", false, "keep the histories though nothing was found")
	flag.Parse()
	if faults != "" {
		c.Faults = strings.Split(faults, ",")
	}
	if only != "" {
		stores = slices.DeleteFunc(stores, func(s torture.Store) bool { return s.Name != only })
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("torture: seed %d, %v, %d stores, %d processes × %d goroutines each\n", c.Seed, c.Duration, len(stores), c.Processes, c.Goroutines)
	report, err := torture.Run(ctx, c, stores, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	report.Print(os.Stdout)
	if !report.OK() {
		fmt.Printf("\nFAILED, seed %d\n", c.Seed)
		os.Exit(1)
	}
	fmt.Printf("\nok: no violation in %d rounds, seed %d\n", report.Rounds, c.Seed)
}
