package servers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/manager"
)

// manyNames is one process that waits for very many names.
func (e *env) manyNames(n int) harness.Case {
	return harness.Case{
		Name:   "50 000 names waited for by one process",
		Models: "a server whose requests each want something else, all of it held",
		Rounds: 1,
		Sides:  []harness.Side{{Name: ours, Run: e.waitForNames(n)}},
		Checks: []harness.Check{
			{What: "50 000 names waited for: server's CPU, %", Metric: "server CPU %", Ours: ours, Bound: 10},
			{What: "50 000 names waited for: commands per second", Metric: "commands/s", Ours: ours, NoTarget: true},
		},
	}
}

func (e *env) waitForNames(names int) run {
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		n, s := b.Pick(names, 20), e.spec(ours)
		s.TTL = "1h" // no renewal falls into the window
		holder, shutHolder, err := clients.Manager(s)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shutHolder()) }()
		waiter, shutWaiter, err := clients.Manager(s)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shutWaiter()) }()
		ctx, cancel := context.WithCancel(ctx)
		held := make([]*manager.Lease, n)
		defer func() {
			for _, l := range held {
				if l != nil {
					l.Release()
				}
			}
		}()
		var all sync.WaitGroup
		defer all.Wait()
		defer cancel()
		for i := range n {
			name := fmt.Sprintf("%s-%d", s.Name, i)
			if held[i], err = holder.Lock(name).Acquire(ctx); err != nil {
				return nil, err
			}
			all.Go(func() { _, _ = waiter.Lock(name).Acquire(ctx) }) // ends with ctx
		}
		time.Sleep(time.Duration(b.Pick(25_000, 50)) * time.Millisecond)         // the heartbeat has found its pace
		u, err := e.use(ctx, time.Duration(b.Pick(20_000, 50))*time.Millisecond) // two heartbeats
		return harness.Metrics{"commands/s": u.commands / u.seconds, "server CPU %": u.percent}, err
	}
}
