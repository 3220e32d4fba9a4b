package faults

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
)

// blackHole is a holder whose network goes silent for longer than the time to live.
func (e *env) blackHole() harness.Case {
	return harness.Case{
		Name:   "black hole",
		Models: "the holder's packets are dropped, in both directions, and no connection closes",
		Rounds: 1,
		Sides:  e.sides(cutOff),
		Checks: e.checks("black hole: stops before the next grant by, ms", "ahead ms", harness.AtLeast, 0),
		Question: &harness.Question{
			Text: "The holder's network is silent: does it stop before the lock is granted to another?",
			Answer: func(m harness.Metrics) string {
				switch {
				case m[never] > 0:
					return "the lock is granted to nobody"
				case m["ahead ms"] >= 0:
					return fmt.Sprintf("yes, %s before", span(m["ahead ms"]))
				case m[still] > 0:
					return fmt.Sprintf("no, two holders for more than %s", span(-m["ahead ms"]))
				default:
					return fmt.Sprintf("no, two holders for %s", span(-m["ahead ms"]))
				}
			},
		},
	}
}

// Figures of several scenarios, each a number of pairs.
const (
	never   = "never granted"   // the waiter was not granted the lock
	still   = "never told"      // the holder went on for as long as was measured
	refused = "waiters failed"  // Acquire of the waiter returned an error
	lives   = "leases survived" // the holder could go on throughout
	overlap = "overlap ms"      // two could go on at once
)

func cutOff(ctx context.Context, p plan) (harness.Metrics, error) {
	w := newWorst()
	return w.m, each(ctx, p, func(ctx context.Context, p *pair) error {
		p.way.Silence()
		got, err := p.answer(ctx)
		if err != nil || got.What != holders.Granted {
			return p.unanswered(w, got, err)
		}
		last, told, err := p.lastLook(ctx)
		if err != nil {
			return err
		}
		w.least("ahead ms", ms(got.At-last))
		w.count(still, !told)
		return nil
	})
}

// lastLook returns when the holder last could go on. It waits for that; a holder that is not told is stopped.
func (p *pair) lastLook(ctx context.Context) (at time.Duration, told bool, err error) {
	e, told, err := p.holder.Within(ctx, p.patience())
	if err == nil && !told {
		if err = p.holder.Release(); err == nil {
			e, err = p.holder.Next(ctx)
		}
	}
	if err == nil && e.What != holders.Ended && e.What != holders.Stopped {
		err = unexpected(e)
	}
	return e.At, told, err
}

// pause is a holder that is stopped for longer than the time to live, and then goes on.
func (e *env) pause() harness.Case {
	return harness.Case{
		Name:   "pause",
		Models: "a suspended machine, a long garbage collection: SIGSTOP until another holds the lock, then SIGCONT",
		Rounds: 1,
		Sides:  e.sides(paused),
		Checks: e.checks("pause: goes on under a lost lease for, ms", "stale ms", harness.AtMost, 0),
		Question: &harness.Question{
			Text: "The holder was stopped for longer than the time to live: does it stop before its next write?",
			Answer: func(m harness.Metrics) string {
				text := "yes"
				switch {
				case m[never] > 0:
					return "the lock is granted to nobody"
				case m[still] > 0:
					text = fmt.Sprintf("no, it writes for more than %s", span(m["stale ms"]))
				case m["stale ms"] > 0:
					text = fmt.Sprintf("no, it writes for %s", span(m["stale ms"]))
				}
				if m["fenced"] > 0 {
					return text + "; a token stops a late write"
				}
				return text + "; no token"
			},
		},
	}
}

func paused(ctx context.Context, p plan) (harness.Metrics, error) {
	w := newWorst()
	return w.m, each(ctx, p, func(ctx context.Context, p *pair) error {
		if err := p.holder.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		got, err := p.answer(ctx)
		if err != nil || got.What != holders.Granted {
			return p.unanswered(w, got, err)
		}
		resumed := harness.Now()
		if err := p.holder.Signal(syscall.SIGCONT); err != nil {
			return err
		}
		last, told, err := p.lastLook(ctx)
		if err != nil {
			return err
		}
		w.most("stale ms", max(0, ms(last-resumed)))
		w.count(still, !told)
		w.least("fenced", flag(p.grant.Token > 0 && got.Token > p.grant.Token))
		return nil
	})
}

// crash is a holder that dies.
func (e *env) crash() harness.Case {
	return harness.Case{
		Name:   "crash",
		Models: "kill -9 of the holder while another process waits",
		Rounds: 1,
		Sides:  e.sides(crashed),
		Checks: append(e.checks("crash: granted to the waiter after the time to live by, ms", "late ms", harness.AtMost, 100),
			harness.Check{What: "crash: granted to the waiter after, ms", Metric: "ms", Ours: libraries[0], NoTarget: true}),
		Question: &harness.Question{
			Text: "The holder is killed: when does the waiter have the lock (time to live: 3 s)?",
			Answer: func(m harness.Metrics) string {
				if m[never] > 0 {
					return "never"
				}
				return "after " + span(m["ms"])
			},
		},
	}
}

func crashed(ctx context.Context, p plan) (harness.Metrics, error) {
	w := newWorst()
	return w.m, each(ctx, p, func(ctx context.Context, p *pair) error {
		at := harness.Now()
		p.holder.Kill()
		got, err := p.answer(ctx)
		if err != nil || got.What != holders.Granted {
			return p.unanswered(w, got, err)
		}
		w.most("ms", ms(got.At-at))
		w.most("late ms", ms(got.At-at-p.ttl))
		return nil
	})
}
