package harness

import (
	"context"
	"slices"
	"time"
)

// Metrics are the figures of one round of one side, by unit: "ns/op", "allocs/op", "jain" and so on.
type Metrics map[string]float64

// Budget says how much a side may spend on one round.
type Budget struct {
	Duration time.Duration // of one measured window
	Minimum  bool          // also find the least figure
	Quick    bool          // only show that the workload runs: take the smallest size that does
}

// Pick returns full, or quick when the budget says so.
func (b Budget) Pick(full, quick int) int {
	if b.Quick {
		return quick
	}
	return full
}

// Side is one contestant of a case.
type Side struct {
	Name string
	Run  func(ctx context.Context, b Budget) (Metrics, error)
}

// Case is one workload, run by several sides in turn.
type Case struct {
	Name   string // "Mutex, 64 goroutines"
	Models string // what in real life it stands for, in one sentence
	Sides  []Side
	Checks []Check

	// Missed says of a target that is not met what the figure is made of, what was tried, and what would
	// be needed.
	Missed string

	Question *Question // nil: figures say it all

	Rounds int // at most so many rounds; 0: as many as the run asks for
}

// Direction says on which side of its bound a figure is good.
type Direction bool

// The directions of a target.
const (
	AtMost  Direction = false
	AtLeast Direction = true
)

// Check is a row of the table: a figure of one side, set against a baseline or a bound.
type Check struct {
	What   string   // what is measured, as the table says it
	Metric string   // which figure
	Ours   string   // the side that is judged
	Base   []string // the sides it is compared with; the best of them counts; none: the bound is absolute

	BaseMetric string    // which figure of the baseline; empty: the same
	Scale      float64   // the baseline counts this many times (2 round trips, say); 0: once
	Direction  Direction // whether Bound is the most or the least
	Bound      float64   // on the ratio, or on the figure itself where there is no baseline
	Added      bool      // Bound is on what ours adds to the baseline, not on the ratio
	Worst      bool      // judge the worst round instead of the median: for properties that hold always
	NoTarget   bool      // only shown: nobody has promised this one

	// Minimum judges the smallest figure of all rounds, set against the baseline's smallest. Noise
	// only adds to the time of work that nobody disturbs, so the smallest has the least of it. A case
	// with such a check has [Minima] rounds or more.
	Minimum bool
}

// Minima is the least number of rounds of which a minimum is taken.
const Minima = 15

// byMinimum reports whether a check of the case takes a minimum.
func (c Case) byMinimum() bool {
	return slices.ContainsFunc(c.Checks, func(k Check) bool { return k.Minimum })
}

// Suite is a set of cases with what they need around them.
type Suite struct {
	Name string

	// Open prepares the suite: it starts a server, say, and returns the cases and what undoes it. Not nil when the
	// error is nil.
	Open func(ctx context.Context, quick bool) (cases []Case, shut func() error, err error)
}

// Fixed returns an Open for a suite that needs nothing prepared.
func Fixed(cases func() []Case) func(context.Context, bool) ([]Case, func() error, error) {
	return func(context.Context, bool) ([]Case, func() error, error) {
		return cases(), func() error { return nil }, nil
	}
}
