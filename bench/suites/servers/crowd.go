package servers

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/redisd"
)

// crowd is processes of goroutines that all want one lock.
func (e *env) crowd(processes, goroutines int) harness.Case {
	what := fmt.Sprintf("%d × %d goroutines", processes, goroutines)
	c := harness.Case{
		Name:   what,
		Models: "servers whose requests all want the same thing",
		Rounds: 3,
		Sides:  []harness.Side{{Name: ours, Run: e.contend(ours, processes, goroutines)}},
	}
	for _, p := range peers {
		c.Sides = append(c.Sides, harness.Side{Name: p, Run: e.contend(p, processes, goroutines)})
	}
	factor := 20.0
	if processes == 1 {
		factor = 60
	}
	c.Checks = []harness.Check{
		{What: what, Metric: "grants/s", Ours: ours, Base: peers, Direction: harness.AtLeast, Bound: factor},
	}
	if processes == 1 {
		c.Checks = append(c.Checks,
			harness.Check{What: what + ", commands per grant", Metric: "commands/op", Ours: ours, Bound: 0.01},
			harness.Check{What: what + ", Jain index", Metric: "jain", Ours: ours, Direction: harness.AtLeast, Bound: 0.99})
	} else {
		c.Checks = append(c.Checks,
			harness.Check{What: what + ", Jain index over processes", Metric: "jain, processes", Ours: ours, Direction: harness.AtLeast, Bound: 0.95},
			harness.Check{What: what + ", commands per grant", Metric: "commands/op", Ours: ours, NoTarget: true})
	}
	c.Checks = append(c.Checks,
		harness.Check{What: what + ", Jain index", Metric: "jain", Ours: ours, Base: peers, Direction: harness.AtLeast, NoTarget: true},
		harness.Check{What: what + ", longest wait", Metric: "wait max µs", Ours: ours, Base: peers, NoTarget: true})
	return c
}

// contend lets the processes of one library contend for a second or longer: some peers retry only ten times a second.
func (e *env) contend(library string, processes, goroutines int) run {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		b.Duration = max(b.Duration, time.Duration(b.Pick(1000, 200))*time.Millisecond)
		sum, byProcess, counts, err := e.run(ctx, e.spec(library), processes, goroutines, b)
		if err != nil {
			return nil, err
		}
		m := sum.Metrics()
		m["jain, processes"] = harness.Jain(byProcess)
		m["commands/op"] = float64(counts.Network(extra(library)...)) / float64(sum.Overall)
		return m, nil
	}
}

// run runs a crowd and counts the commands.
func (e *env) run(
	ctx context.Context, s clients.Spec, processes, goroutines int, b harness.Budget,
) (sum harness.Shares, byProcess []int64, _ redisd.Counts, err error) {
	var before, after redisd.Counts
	sum, byProcess, err = clients.Crowd(s, processes, goroutines, b,
		func() (err error) { before, err = e.server.Counts(ctx); return err },
		func() (err error) { after, err = e.server.Counts(ctx); return err })
	if err != nil {
		return sum, nil, nil, err
	}
	return sum, byProcess, after.Since(before), nil
}

// strict is the price of a hand-off between processes, every time.
func (e *env) strict() harness.Case {
	const trip = "one bare EVALSHA"
	return harness.Case{
		Name:   "strict order, 2 processes × 1 goroutine",
		Models: "two machines that take turns, with no hand-off inside a process: each grant is a release, a wake-up and an acquire",
		Rounds: 3,
		Sides: []harness.Side{
			{Name: ours, Run: func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
				s := e.spec(ours)
				s.Strict = true
				sum, _, counts, err := e.run(ctx, s, 2, 1, b)
				if err != nil {
					return nil, err
				}
				m := sum.Metrics()
				m["commands/op"] = float64(counts.Network()) / float64(sum.Overall)
				return m, nil
			}},
			{Name: trip, Run: e.counted(trip, e.bare(1))},
		},
		Checks: []harness.Check{
			{What: "strict order, 2 × 1: a full cycle in bare round trips", Metric: "ns/op", Ours: ours, Base: []string{trip}, Bound: 2.5},
			{What: "strict order, 2 × 1: commands per grant", Metric: "commands/op", Ours: ours, NoTarget: true},
		},
	}
}
