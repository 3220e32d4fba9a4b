//go:build linux

package torture

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// longestRound bounds a round: a longer run is many of them, each with a seed of its own.
const longestRound = time.Minute

// Run tortures the stores for the duration of c, all at the same time, and writes violations and the
// kept histories to out as they are found. An error says that it could not be carried through; the report then has the
// rounds before.
func Run(ctx context.Context, c Config, stores []Store, out io.Writer) (*Report, error) {
	report := newReport(c, stores)
	for left := c.Duration; left > 0; left -= longestRound {
		one := c
		one.Duration = min(left, longestRound)
		one.Seed = c.Seed + uint64(report.Rounds)
		if report.Rounds > 0 && one.Duration < longestRound/4 {
			break // too short to tell anything
		}
		report.Rounds++
		if err := report.round(ctx, one, stores, out); err != nil {
			report.Rounds-- // what the others have found is reported
			return report, fmt.Errorf("seed %d: %w", one.Seed, err)
		}
		report.Duration += one.Duration
	}
	return report, nil
}

// round plays one round of each store.
func (r *Report) round(ctx context.Context, c Config, stores []Store, out io.Writer) error {
	type result struct {
		round *round
		store Store
		dir   string
		err   error
	}
	results := make(chan result)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range stores {
		go func() {
			dir, err := os.MkdirTemp("", "lockkeeper-torture-")
			res := result{store: s, dir: dir, err: err}
			if err == nil {
				res.round, res.err = play(ctx, c, s, dir)
			}
			results <- res
		}()
	}
	var failure error
	for range stores {
		res := <-results
		if res.err != nil {
			cancel()
			if failure == nil {
				failure = fmt.Errorf("%s: %w", res.store.Name, res.err)
			}
			_ = os.RemoveAll(res.dir)
			continue
		}
		v := judge(res.round)
		v.PrintViolations(out, res.round.start)
		if len(v.Violations) > 0 && c.Mutant == "" || c.Keep {
			fmt.Fprintf(out, "\nhistory of %s, seed %d: %s\n", res.store.Name, c.Seed, filepath.Join(res.dir, "events"))
			_ = os.RemoveAll(filepath.Join(res.dir, "store"))
		} else {
			_ = os.RemoveAll(res.dir)
		}
		r.add(v)
	}
	return failure
}
