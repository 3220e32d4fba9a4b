package harness

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"
)

// Options say how to run.
type Options struct {
	Rounds   int           // measured rounds of each case, after one that is thrown away
	Duration time.Duration // of one measured window
	Quick    bool          // one short round of each case, no warm-up and no verdict
	Match    func(string) bool
	Progress io.Writer // told what has run
	Live     bool      // Progress is a terminal: also told what runs now
}

// Outcome is a case with everything that was measured.
type Outcome struct {
	Suite  string
	Case   Case
	Rounds []map[string]Metrics // one for each round, by the name of the side
	Err    error                // the workload failed; Rounds holds what had been measured before
}

// Run runs the suites, one after the other, and returns what was measured. What fails, a case or a whole suite that
// cannot be opened or shut, is noted in an outcome, and the next one goes on. The error is ctx's, if it ended first.
func Run(ctx context.Context, suites []Suite, o Options) ([]Outcome, error) {
	var all []Outcome
	for _, s := range suites {
		cases, shut, err := s.Open(ctx, o.Quick)
		if err != nil {
			all = append(all, Outcome{Suite: s.Name, Case: Case{Name: "open"}, Err: err})
			continue
		}
		for _, c := range cases {
			if o.Match != nil && !o.Match(c.Name) {
				continue
			}
			if ctx.Err() != nil {
				break
			}
			all = append(all, runCase(ctx, s.Name, c, o))
		}
		if err := shut(); err != nil {
			all = append(all, Outcome{Suite: s.Name, Case: Case{Name: "shut"}, Err: err})
		}
		if err := ctx.Err(); err != nil {
			return all, err
		}
	}
	return all, nil
}

// runCase runs the rounds of one case. Each round runs every side, and each starts with another side.
func runCase(ctx context.Context, suite string, c Case, o Options) Outcome {
	out := Outcome{Suite: suite, Case: c}
	rounds, warm := o.Rounds, 1
	if c.Rounds > 0 && c.Rounds < rounds {
		rounds, warm = c.Rounds, 0 // a case that asks for few rounds is a long one
	}
	if c.byMinimum() && rounds < Minima { // more rounds, in the same time
		o.Duration = o.Duration * time.Duration(rounds) / Minima
		rounds = Minima
	}
	if o.Quick {
		rounds, warm = 1, 0
	}
	began := time.Now()
	for r := range warm + rounds {
		b := Budget{Duration: o.Duration, Minimum: c.byMinimum(), Quick: o.Quick}
		if r < warm {
			b.Duration /= 3
		}
		got := make(map[string]Metrics, len(c.Sides))
		for i := range c.Sides {
			s := c.Sides[(i+r)%len(c.Sides)]
			if o.Live {
				fmt.Fprintf(o.Progress, "\r\033[K%s: %s: round %d of %d: %s", suite, c.Name, r+1, warm+rounds, s.Name)
			}
			runtime.GC() // what the side before left behind is not this one's cost
			m, err := s.Run(ctx, b)
			if err != nil {
				out.Err = fmt.Errorf("%s: %w", s.Name, err)
				o.say("%s: %s: FAILED: %v", suite, c.Name, out.Err)
				return out
			}
			got[s.Name] = m
		}
		if r >= warm {
			out.Rounds = append(out.Rounds, got)
		}
	}
	o.say("%s: %s: %.1fs", suite, c.Name, time.Since(began).Seconds())
	return out
}

// say writes a line of progress, over what a terminal shows of the current one.
func (o Options) say(format string, args ...any) {
	if o.Live {
		format = "\r\033[K" + format
	}
	fmt.Fprintf(o.Progress, format+"\n", args...)
}
