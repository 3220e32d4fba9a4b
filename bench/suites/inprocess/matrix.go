package inprocess

import (
	"context"
	"fmt"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// matrix is every lock with every number of goroutines, with work inside the lock or outside, with a context that can be
// cancelled or not. It shows means, percentiles of the waits and fairness; nobody has promised any of them.
func matrix() []harness.Case {
	var cases []harness.Case
	for _, n := range []int{1, 2, 8, 64, 1000} {
		for _, w := range workloads {
			for _, cancellable := range []bool{true, false} {
				cases = append(cases, matrixCase(n, w, cancellable))
			}
		}
	}
	return cases
}

func matrixCase(n int, w workload, cancellable bool) harness.Case {
	name := fmt.Sprintf("matrix: %d goroutines, %s, cancellable", n, w.name)
	if !cancellable {
		name = fmt.Sprintf("matrix: %d goroutines, %s, not cancellable", n, w.name)
	}
	c := harness.Case{
		Name:   name,
		Models: "a lock as programs use it: for some 150 ns of work, with as much time between, or none",
		Rounds: 2,
	}
	for _, l := range []struct {
		name string
		make func() harness.Guard
	}{
		{ours, ourGuard}, {weighted, func() harness.Guard { return weightedGuard(1) }}, {channel, channelGuard},
		{stdlib, syncGuard}, {viney, vineyGuard}, {marusama, func() harness.Guard { return marusamaGuard(1) }},
	} {
		c.Sides = append(c.Sides, harness.Side{
			Name: l.name,
			Run:  harness.Contended(n, func() harness.Guard { return w.around(l.make(), cancellable) }),
		})
	}
	for _, metric := range []string{"ns/op", "wait p50 µs", "wait p99 µs", "wait max µs"} {
		c.Checks = append(c.Checks, harness.Check{What: name, Metric: metric, Ours: ours, Base: []string{weighted, channel, viney, marusama}, NoTarget: true})
	}
	c.Checks = append(c.Checks, harness.Check{
		What: name, Metric: "jain", Ours: ours, Base: []string{weighted, channel, viney, marusama}, Direction: harness.AtLeast, NoTarget: true,
	})
	return c
}

const workLength = 500 // turns of an empty loop: some 150 ns

// A workload is what goroutines do in the lock and out of it.
type workload struct {
	name            string
	inside, outside int
}

var workloads = []workload{{"work inside", workLength, 0}, {"work outside", 0, workLength}}

// around adds the work to a lock, and takes away what could cancel it if so wanted.
func (w workload) around(g harness.Guard, cancellable bool) harness.Guard {
	return harness.Guard{
		Acquire: func(ctx context.Context) error {
			work(w.outside)
			if !cancellable {
				ctx = context.Background()
			}
			return g.Acquire(ctx)
		},
		Release: func() error { work(w.inside); return g.Release() },
	}
}

// work turns an empty loop n times.
//
//go:noinline
func work(n int) {
	for range n {
	}
}
