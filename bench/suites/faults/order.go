package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
)

const (
	queueing = 8 // waiters
	among    = 4 // processes
)

// order is a queue whose order is known.
func (e *env) order() harness.Case {
	const round, twice = "pairs turned", "pairs turned, asked twice in a row"
	return harness.Case{
		Name: "order",
		Models: "8 waiters of 4 processes ask one after the other, and each holds for 20 ms. A pair is turned if its later waiter " +
			"is granted the lock first. The processes ask in turn, or each asks twice in a row",
		Rounds: 1,
		Sides: e.sides(func(ctx context.Context, p plan) (_ harness.Metrics, err error) {
			m := harness.Metrics{}
			if m[round], err = overtakings(ctx, p, func(i int) int { return i % among }); err == nil {
				m[twice], err = overtakings(ctx, p, func(i int) int { return i * among / queueing })
			}
			return m, err
		}),
		Checks: e.checks("order: pairs of 28 that are turned", round, harness.AtMost, 0),
		Question: &harness.Question{
			Text: "8 waiters of 4 processes: do they get the lock in the order in which they asked?",
			Answer: func(m harness.Metrics) string {
				switch {
				case m[round]+m[twice] == 0:
					return "yes"
				case m[round] == 0:
					return fmt.Sprintf("yes, if the processes ask in turn; %.0f of 28 pairs are turned if each asks twice in a row", m[twice])
				default:
					return fmt.Sprintf("no, %.0f of 28 pairs are turned", m[round])
				}
			},
		},
	}
}

// overtakings counts the pairs of waiters of which the later one is granted the lock first. Waiter i is in process
// of(i).
func overtakings(ctx context.Context, p plan, of func(i int) int) (turned float64, err error) {
	s := p.spec(name(), p.store.addr)
	holder, err := holders.Start(s)
	if err != nil {
		return 0, err
	}
	defer holder.Kill()
	var ps []*holders.Process
	defer func() {
		for _, w := range ps {
			w.Kill()
		}
	}()
	for range among {
		w, err := holders.Start(s)
		if err != nil {
			return 0, err
		}
		ps = append(ps, w)
	}
	if _, err := holder.Hold(ctx); err != nil {
		return 0, err
	}
	have := map[int]bool{}
	for i := range queueing {
		have[of(i)] = true
		if err := ps[of(i)].Turn(i, 20*time.Millisecond); err != nil {
			return 0, err
		}
		if err := p.queued(ctx, s.Name, i+1, len(have)); err != nil {
			return 0, err
		}
	}
	if err := holder.Release(); err != nil {
		return 0, err
	}
	at, err := grants(ctx, ps)
	for i := range at {
		for _, later := range at[i:] {
			if later < at[i] {
				turned++
			}
		}
	}
	return turned, err
}

// grants returns when each waiter was granted the lock.
func grants(ctx context.Context, ps []*holders.Process) ([]time.Duration, error) {
	at := make([]time.Duration, queueing)
	for _, p := range ps {
		for have := 0; have < queueing/among; {
			e, err := p.Next(ctx)
			if err != nil {
				return nil, err
			}
			switch e.What {
			case holders.Granted:
				at[e.ID] = e.At
				have++
			case holders.Refused:
				return nil, unexpected(e)
			}
		}
	}
	if slices.Contains(at, 0) {
		return nil, errors.New("bug: a waiter without a grant")
	}
	return at, nil
}
