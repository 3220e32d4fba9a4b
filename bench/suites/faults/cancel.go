package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
)

// cancels is a waiter that gives up, again and again.
func (e *env) cancels() harness.Case {
	const what = "cancelled acquires"
	c := harness.Case{
		Name:   what,
		Models: "1000 acquires are cancelled at random moments, every second one of a lock that is held and then released; after each, another client acquires",
		Rounds: 1,
		Sides:  e.sides(cancelled),
		Checks: e.checks(what+": the next acquire takes up to, ms", "next ms", harness.AtMost, ms(holders.Soon)),
		Question: &harness.Question{
			Text: "1000 acquires are cancelled at random moments: is anything left behind?",
			Answer: func(m harness.Metrics) string {
				text := "no"
				switch {
				case m["stuck"] > 0:
					text = fmt.Sprintf("yes: after trial %.0f the lock is held by nobody for more than %s", m["trials"], span(m["next ms"]))
				case m["late"] > 0:
					text = fmt.Sprintf("yes: after %.0f of %.0f the lock is held by nobody for up to %s", m["late"], m["trials"], span(m["next ms"]))
				}
				if n := m["keys left"]; n > 0 {
					text += fmt.Sprintf("; keys: %.0f", n)
				}
				if n := m["goroutines left"]; n > 0 {
					text += fmt.Sprintf("; goroutines: %.0f", n)
				}
				return text
			},
		},
	}
	for _, figure := range []string{"keys left", "goroutines left"} {
		c.Checks = append(c.Checks, e.checks(what+": "+figure, figure, harness.AtMost, 0)...)
	}
	return c
}

// busyTTL is so long that a lock that stays behind is told from one that takes its time, on a busy machine, too.
const busyTTL = 12 * time.Second

func cancelled(ctx context.Context, p plan) (harness.Metrics, error) {
	t := holders.Trials{Spec: p.spec(name(), p.store.addr), N: 200 * p.pairs}
	if p.pairs == 1 {
		t.TTL = busyTTL
	}
	var before, more int
	l, err := holders.Cancel(t, func() (err error) {
		before, err = p.store.left(ctx, t.Name)
		return err
	}, func() (err error) {
		for end := time.Now().Add(p.patience()); ; time.Sleep(50 * time.Millisecond) { // a cancel may be on its way
			more, err = p.store.left(ctx, t.Name)
			if more -= before; err != nil || more <= 0 || time.Now().After(end) {
				return err
			}
		}
	})
	return harness.Metrics{
		"trials": float64(l.Trials), "cancelled": float64(l.Cancelled), "late": float64(l.Late), "next ms": ms(l.Longest),
		"stuck": flag(l.Stuck), "goroutines left": float64(l.Goroutines), "keys left": float64(max(0, more)),
	}, err
}

// flag is a fact as a figure.
func flag(so bool) float64 {
	if so {
		return 1
	}
	return 0
}
