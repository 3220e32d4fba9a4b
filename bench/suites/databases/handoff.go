package databases

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// trip is the baseline of a hand-off.
const trip = "an empty function"

// handOff is the time from the release in one process to the grant in another that waits.
func (e *env) handOff() harness.Case {
	peers := []string{clients.Advisory}
	c := harness.Case{
		Name:   "hand-off between processes",
		Models: "two machines that take turns",
		Missed: "The release that grants to the next is most of it: the message comes as its answer does " +
			"(docs/internals/postgres.md). A release that writes less would be needed",
		Sides: []harness.Side{
			{Name: ours, Run: e.handOffs(ours, false, 60)},
			{Name: trip, Run: e.counted(trip, e.calls("SELECT nothing()"))},
		},
		Checks: []harness.Check{
			{What: "hand-off by a message, p50, in bare round trips", Metric: "p50 ns", Ours: ours,
				Base: []string{trip}, BaseMetric: "ns/op", Bound: 4},
			{What: "hand-off by a message: statements", Metric: "statements/op", Ours: ours, Bound: 2.1},
		},
	}
	for _, p := range peers {
		c.Sides = append(c.Sides, harness.Side{Name: p, Run: e.handOffs(p, false, 60)})
		c.Checks = append(c.Checks, harness.Check{
			What: "hand-off by a message, p50, beside " + p, Metric: "p50 ns", Ours: ours, Base: []string{p}, NoTarget: true})
	}
	return c
}

// handOffByHeartbeat is the same where LISTEN cannot be had.
func (e *env) handOffByHeartbeat() harness.Case {
	return harness.Case{
		Name:   "hand-off by heartbeats alone",
		Models: "two machines behind a pooler that delivers no messages",
		Rounds: 1,
		Sides:  []harness.Side{{Name: ours, Run: e.handOffs(ours, true, 12)}},
		Checks: []harness.Check{
			{What: "hand-off by heartbeat alone, p50, ms", Metric: "p50 ms", Ours: ours, Bound: 1000},
			{What: "hand-off by heartbeat alone, longest, ms", Metric: "longest ms", Ours: ours, NoTarget: true},
		},
	}
}

// handOffs lets two processes hand the lock to each other, the next one in the queue each time.
func (e *env) handOffs(library string, deaf bool, times int) run {
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		s := e.spec(library)
		s.Strict, s.Deaf = true, deaf
		var both [2]clients.Obedient
		for i := range both {
			if both[i], err = clients.StartObedient(s); err != nil {
				return nil, err
			}
			defer both[i].Kill()
			if err := both[i].Use(); err != nil {
				return nil, err
			}
		}
		x, y := both[0], both[1]
		if err := x.Acquire(); err != nil {
			return nil, err
		}
		if _, err := x.Answer(); err != nil {
			return nil, err
		}
		var took []time.Duration
		var sent int64
		for range b.Pick(times, 1) {
			if err := y.Acquire(); err != nil {
				return nil, err
			}
			if err := e.stands(ctx, library); err != nil {
				return nil, err
			}
			d, n, err := e.pass(ctx, library, x, y)
			if err != nil {
				return nil, err
			}
			took, sent = append(took, d), sent+n
			x, y = y, x
		}
		if err := x.Release(); err != nil {
			return nil, err
		}
		if _, err := x.Answer(); err != nil {
			return nil, err
		}
		slices.Sort(took)
		p50, most := took[len(took)/2], took[len(took)-1]
		return harness.Metrics{
			"p50 ns": float64(p50), "p50 ms": float64(p50) / 1e6, "longest ms": float64(most) / 1e6,
			"statements/op": float64(sent) / float64(len(took)),
		}, errors.Join(x.Close(), y.Close())
	}
}

// stands returns when one waits, and its client has opened what it listens on.
func (e *env) stands(ctx context.Context, library string) error {
	for {
		var n int
		err := e.pool.QueryRow(ctx, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`).Scan(&n)
		if library == ours && err == nil {
			n, err = e.waiters(ctx)
		}
		if err != nil {
			return err
		}
		if n > 0 {
			time.Sleep(20 * time.Millisecond)
			return nil
		}
	}
}

// pass returns how long the hand-off from x to y took, and how many statements it was.
func (e *env) pass(ctx context.Context, library string, x, y clients.Obedient) (time.Duration, int64, error) {
	before, err := e.sent(ctx, library)
	if err != nil {
		return 0, 0, err
	}
	if err := x.Release(); err != nil {
		return 0, 0, err
	}
	released, err := x.Answer()
	if err != nil {
		return 0, 0, err
	}
	granted, err := y.Answer()
	if err != nil {
		return 0, 0, err
	}
	after, err := e.sent(ctx, library)
	return granted.At - released.At, after - before, err
}
