package servers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
)

// herd is thousands of waiters behind one holder: what they cost while nothing happens, and what each hand-off costs
// once it does. Every grant goes through the store.
func (e *env) herd() harness.Case {
	const what = "5 000 waiters in 10 processes"
	return harness.Case{
		Name:   what,
		Models: "a lock that everybody waits for",
		Rounds: 1,
		Sides:  []harness.Side{{Name: ours, Run: e.stampede(10, 500)}},
		Checks: []harness.Check{
			{What: what + ": commands per second and process", Metric: "commands/s", Ours: ours, Bound: 1},
			{What: what + ": server's CPU, %", Metric: "server CPU %", Ours: ours, NoTarget: true},
			{What: what + ": commands per hand-off", Metric: "commands/op", Ours: ours, Bound: 2.1},
			{What: what + ": messages per hand-off", Metric: "messages/op", Ours: ours, Bound: 1.01},
		},
	}
}

// idle is what a server has to do while a number of goroutines wait and nothing happens.
func (e *env) idle(processes, goroutines int) harness.Case {
	what := fmt.Sprintf("%d × %d waiters, nobody releases", processes, goroutines)
	return harness.Case{
		Name:   what,
		Models: "what a waiter costs the server while it waits",
		Rounds: 1,
		Sides: []harness.Side{{Name: ours, Run: func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
			return e.waiting(ctx, b, processes, goroutines)
		}}},
		Checks: []harness.Check{
			{What: what + ": commands per second and process", Metric: "commands/s", Ours: ours, Bound: 1},
			{What: what + ": server's CPU, %", Metric: "server CPU %", Ours: ours, NoTarget: true},
		},
	}
}

func (e *env) waiting(ctx context.Context, b harness.Budget, processes, goroutines int) (_ harness.Metrics, err error) {
	s := e.spec(ours)
	s.Strict = true
	holder, err := e.holder(s)
	if err != nil {
		return nil, err
	}
	defer holder.Kill()
	herds, err := clients.StartHerds(s, b.Pick(processes, 1), b.Pick(goroutines, 2))
	if err != nil {
		return nil, err
	}
	defer herds.Kill()
	m, err := e.rest(ctx, b, len(herds))
	if err != nil {
		return nil, err
	}
	if err := holder.Release(); err != nil {
		return nil, err
	}
	if err := herds.Wait(); err != nil {
		return nil, err
	}
	return m, herds.Close()
}

// holder starts a process that holds the lock.
func (e *env) holder(s clients.Spec) (clients.Obedient, error) {
	o, err := clients.StartObedient(s)
	if err != nil {
		return o, err
	}
	err = o.Acquire()
	if err == nil {
		_, err = o.Answer()
	}
	if err != nil {
		o.Kill()
	}
	return o, err
}

func (e *env) stampede(processes, goroutines int) run {
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		processes, goroutines := b.Pick(processes, 2), b.Pick(goroutines, 5)
		s := e.spec(ours)
		s.Strict = true
		holder, err := e.holder(s)
		if err != nil {
			return nil, err
		}
		defer holder.Kill()
		herds, err := clients.StartHerds(s, processes, goroutines)
		if err != nil {
			return nil, err
		}
		defer herds.Kill()
		m, err := e.rest(ctx, b, processes)
		if err != nil {
			return nil, err
		}
		before, err := e.server.Counts(ctx)
		if err != nil {
			return nil, err
		}
		if err := holder.Release(); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := herds.Wait(); err != nil {
			return nil, err
		}
		took := time.Since(start)
		after, err := e.server.Counts(ctx)
		if err != nil {
			return nil, err
		}
		d, grants := after.Since(before), float64(processes*goroutines)
		m["commands/op"] = float64(d.Network()) / grants
		m["messages/op"] = float64(d["publish"]+d["spublish"]) / grants
		m["ns/op"] = float64(took.Nanoseconds()) / grants
		return m, herds.Close()
	}
}

// rest counts commands while everybody waits: all processes have a second to settle, then four seconds count.
func (e *env) rest(ctx context.Context, b harness.Budget, processes int) (harness.Metrics, error) {
	time.Sleep(time.Duration(b.Pick(1000, 50)) * time.Millisecond)
	u, err := e.use(ctx, time.Duration(b.Pick(4000, 50))*time.Millisecond)
	return harness.Metrics{
		"commands/s":   u.commands / u.seconds / float64(processes+1), // and the holder
		"server CPU %": u.percent,
	}, err
}

// use is what the server did in a window of time.
type use struct{ commands, seconds, percent float64 }

// use looks at the server for a window of time.
func (e *env) use(ctx context.Context, window time.Duration) (u use, err error) {
	before, err := e.server.Counts(ctx)
	if err != nil {
		return u, err
	}
	cpu, err := e.server.CPU(ctx)
	if err != nil {
		return u, err
	}
	start := time.Now()
	time.Sleep(window)
	u.seconds = time.Since(start).Seconds()
	used, err := e.server.CPU(ctx)
	if err != nil {
		return u, err
	}
	after, err := e.server.Counts(ctx)
	u.commands = float64(after.Since(before).Network())
	u.percent = 100 * (used - cpu).Seconds() / u.seconds
	return u, err
}

// renewal is one process that holds very many leases.
func (e *env) renewal() harness.Case {
	return harness.Case{
		Name:   "10 000 leases held by one process",
		Models: "a server that owns a shard of the work",
		Rounds: 1,
		Sides:  []harness.Side{{Name: ours, Run: e.hold(10_000)}},
		Checks: []harness.Check{
			{What: "10 000 leases: commands per renewal period", Metric: "commands/period", Ours: ours, Bound: 100},
			{What: "10 000 leases: lost", Metric: "lost", Ours: ours, Bound: 0, Worst: true},
			{What: "10 000 leases: server's CPU, %", Metric: "server CPU %", Ours: ours, NoTarget: true},
		},
	}
}

func (e *env) hold(most int) run {
	const ttl = 6 * time.Second
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
		periods := b.Pick(3, 0)
		window := ttl / 3 * time.Duration(periods)
		if b.Quick {
			window = 10 * time.Millisecond
		}
		u, err := e.use(ctx, window)
		if err != nil {
			return nil, err
		}
		return harness.Metrics{
			"commands/period": u.commands / float64(max(1, periods)),
			"lost":            leases.Lost(held),
			"server CPU %":    u.percent,
		}, nil
	}
}
