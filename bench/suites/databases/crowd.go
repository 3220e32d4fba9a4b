package databases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
)

// crowd is processes of goroutines that all want one lock.
func (e *env) crowd(processes, goroutines int) harness.Case {
	what := fmt.Sprintf("%d × %d goroutines", processes, goroutines)
	peers := []string{clients.Advisory, clients.PgLock1}
	c := harness.Case{
		Name:   what,
		Models: "servers whose requests all want the same thing",
		Rounds: 3,
		Sides:  []harness.Side{{Name: ours, Run: e.contend(ours, processes, goroutines)}},
	}
	for _, p := range peers {
		c.Sides = append(c.Sides, harness.Side{Name: p, Run: e.contend(p, processes, goroutines)})
	}
	factor, fair, least := 5.0, "jain, processes", 0.95
	if processes == 1 {
		factor, fair, least = 20, "jain", 0.99
	}
	c.Checks = []harness.Check{
		{What: what, Metric: "grants/s", Ours: ours, Base: peers, Direction: harness.AtLeast, Bound: factor},
		{What: what + ", Jain index", Metric: fair, Ours: ours, Direction: harness.AtLeast, Bound: least},
		{What: what + ", statements per grant", Metric: "statements/op", Ours: ours, NoTarget: true},
		{What: what + ", longest wait", Metric: "wait max µs", Ours: ours, Base: peers, NoTarget: true},
	}
	return c
}

// contend lets the processes of one library contend for a second or longer: some peers retry only ten times a second.
func (e *env) contend(library string, processes, goroutines int) run {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		processes, goroutines := b.Pick(processes, min(processes, 2)), b.Pick(goroutines, 4)
		b.Duration = max(b.Duration, time.Duration(b.Pick(1000, 200))*time.Millisecond)
		var before, after int64
		sum, byProcess, err := clients.Crowd(e.spec(library), processes, goroutines, b,
			func() (err error) { before, err = e.sent(ctx, library); return err },
			func() (err error) { after, err = e.sent(ctx, library); return err })
		if err != nil {
			return nil, err
		}
		m := sum.Metrics()
		m["jain, processes"] = harness.Jain(byProcess)
		m["statements/op"] = float64(after-before) / float64(sum.Overall)
		return m, nil
	}
}

// idle is what one process of waiters costs the server while nothing happens.
func (e *env) idle(goroutines int) harness.Case {
	what := fmt.Sprintf("1 × %d waiters, nobody releases", goroutines)
	return harness.Case{
		Name:   what,
		Models: "what a waiter costs the server while it waits",
		Rounds: 1,
		Sides:  []harness.Side{{Name: ours, Run: e.waiting(goroutines)}},
		Checks: []harness.Check{
			{What: what + ": statements per second", Metric: "statements/s", Ours: ours, Bound: 2},
			{What: what + ": statements per hand-off afterwards", Metric: "statements/op", Ours: ours, Bound: 2.1},
		},
	}
}

func (e *env) waiting(goroutines int) run {
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		n := b.Pick(goroutines, 5)
		s := e.spec(ours)
		s.Strict, s.TTL = true, "60s"
		holder, err := clients.StartObedient(s)
		if err != nil {
			return nil, err
		}
		defer holder.Kill()
		if err := holder.Acquire(); err != nil {
			return nil, err
		}
		if _, err := holder.Answer(); err != nil {
			return nil, err
		}
		herds, err := clients.StartHerds(s, 1, n)
		if err != nil {
			return nil, err
		}
		defer herds.Kill()
		if err := e.queued(ctx); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(b.Pick(1000, 50)) * time.Millisecond)
		before, start := int64(0), time.Now()
		if before, err = e.sent(ctx, ours); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(b.Pick(4000, 50)) * time.Millisecond)
		after, err := e.sent(ctx, ours)
		if err != nil {
			return nil, err
		}
		m := harness.Metrics{"statements/s": float64(after-before) / time.Since(start).Seconds()}
		if err := holder.Release(); err != nil {
			return nil, err
		}
		if err := herds.Wait(); err != nil {
			return nil, err
		}
		end, err := e.sent(ctx, ours)
		m["statements/op"] = float64(end-after) / float64(n)
		return m, errors.Join(err, herds.Close())
	}
}

// renewal is one process that holds very many leases.
func (e *env) renewal() harness.Case {
	return harness.Case{
		Name:   "10 000 leases held by one process",
		Models: "a server that owns a shard of the work",
		Rounds: 1,
		Sides:  []harness.Side{{Name: ours, Run: e.hold(10_000)}},
		Checks: []harness.Check{
			{What: "10 000 leases: statements per renewal period", Metric: "statements/period", Ours: ours, Bound: 10},
			{What: "10 000 leases: lost", Metric: "lost", Ours: ours, Bound: 0, Worst: true},
		},
	}
}

func (e *env) hold(most int) run {
	const ttl = 30 * time.Second
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		n := b.Pick(most, 20)
		s := e.spec(ours)
		s.TTL = ttl.String()
		m, shut, err := clients.Manager(s)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shut()) }()
		held, err := leases.Many(ctx, m, s.Name, n)
		if err != nil {
			return nil, err
		}
		if !b.Quick {
			time.Sleep(ttl / 3) // all have been renewed once
		}
		before, err := e.sent(ctx, ours)
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(b.Pick(int(ttl/3/time.Millisecond), 10)) * time.Millisecond)
		after, err := e.sent(ctx, ours)
		if err != nil {
			return nil, err
		}
		return harness.Metrics{"statements/period": float64(after - before), "lost": leases.Lost(held)}, nil
	}
}
