package leases

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The names of [Queue], and how long each holder holds.
const (
	queues = 5
	hold   = 20 * time.Millisecond
)

// Queue has holders queue for five names that begin with the prefix: one for the first name, two
// for the second, and so on. Each holds its name for 20 ms. The names must be held: Queue returns
// when all of its holders wait.
func Queue(ctx context.Context, g *errgroup.Group, m *manager.Manager, prefix string) error {
	n := int64(0)
	for i, c := range Locks(m, prefix, queues) {
		for range i + 1 {
			n++
			g.Go(func() error {
				l, err := c.Acquire(ctx)
				if err != nil {
					return err
				}
				time.Sleep(hold)
				return l.Release()
			})
		}
	}
	return Waiting(ctx, m, n)
}

// Waiting returns when n acquires of the manager wait; a part of an All counts as one.
func Waiting(ctx context.Context, m *manager.Manager, n int64) error {
	return until(ctx, func() (bool, error) { return m.Stats().Waiting >= n, nil })
}

// Queued returns when a process waits at the store for each of the names of [Queue].
func Queued(ctx context.Context, m *manager.Manager, prefix string) error {
	for i := range queues {
		if err := Waits(ctx, m, numbered(prefix, i)); err != nil {
			return err
		}
	}
	return nil
}

// Waits returns when a process waits at the store for the name.
func Waits(ctx context.Context, m *manager.Manager, name string) error {
	return until(ctx, func() (bool, error) {
		s, err := m.Inspect(ctx, name)
		return len(s.Waiters) > 0, err
	})
}

// until returns when the condition holds, or fails after a minute.
func until(ctx context.Context, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done(): // it may hold by now, but too late
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// Behind measures how long an All of the five names waits behind their queues, or without all a
// claim to the name with the longest queue. The names are held until everything is in place. The
// function others puts there what shall stand before the holders of this process. The figure is
// the time from the release of the names to the grant.
func Behind(
	ctx context.Context, m *manager.Manager, prefix string, all bool, others func() error,
) (harness.Metrics, error) {
	names := Locks(m, prefix, queues)
	gate, err := m.All(names...).Acquire(ctx)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	claim, places := names[queues-1], int64(1)
	if all {
		claim, places = m.All(names...), queues
	}
	if err = others(); err == nil {
		err = Queue(ctx, g, m, prefix)
	}
	var granted time.Time
	if err == nil {
		places += m.Stats().Waiting
		g.Go(func() error {
			l, err := claim.Acquire(ctx)
			if err != nil {
				return err
			}
			granted = time.Now()
			return l.Release()
		})
		err = Waiting(ctx, m, places)
	}
	start := time.Now()
	if err := errors.Join(err, gate.Release(), g.Wait()); err != nil {
		return nil, err
	}
	return harness.Metrics{"wait ms": granted.Sub(start).Seconds() * 1e3}, nil
}

// BehindQueues is the case of [Behind] in so many processes; side measures with or without all.
func BehindQueues(
	processes string,
	side func(all bool) func(context.Context, harness.Budget) (harness.Metrics, error),
) harness.Case {
	what := Five + ", each with a queue, " + processes
	return harness.Case{
		Name:   what,
		Models: "a job on five things, each of which others work on and wait for",
		Rounds: 3,
		Sides:  []harness.Side{{Name: Five, Run: side(true)}, {Name: Longest, Run: side(false)}},
		Checks: []harness.Check{
			{What: what, Metric: "wait ms", Ours: Five, Base: []string{Longest}, Bound: 1.2},
		},
	}
}
