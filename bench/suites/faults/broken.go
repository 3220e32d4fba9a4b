package faults

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
)

// away is how long a server is away that is killed and started again.
const away = 300 * time.Millisecond

// flushedTTL is so long that ours writes a grant to PostgreSQL's disk: those of less than 5 s end with a crash.
const flushedTTL = 6 * time.Second

// flushed returns the plan with that time to live.
func (p plan) flushed() plan {
	if p.pairs > 1 { // else it is a short run
		p.ttl = flushedTTL
	}
	return p
}

// restart is a server that crashes and comes back with its data.
func (e *env) restart() harness.Case {
	return harness.Case{
		Name:   "server restart",
		Models: fmt.Sprintf("the server is killed, and started with its data after %v; the holder goes on for longer than the time to live", away),
		Rounds: 1,
		Sides:  e.sides(restarted),
		Checks: e.checks("server restart: two holders for, ms", overlap, harness.AtMost, 0),
		Question: &harness.Question{
			Text: "The server restarts with its data: does the lease survive, and is the waiter granted it after the release?", Answer: survival,
		},
	}
}

// resets are connections that break while the lock is held and waited for.
func (e *env) resets() harness.Case {
	return harness.Case{
		Name:   "connection resets",
		Models: "the connections of holder and waiter are cut, five times in a second; the holder goes on for longer than the time to live",
		Rounds: 1,
		Sides:  e.sides(reset),
		Checks: e.checks("connection resets: two holders for, ms", overlap, harness.AtMost, 0),
		Question: &harness.Question{
			Text: "Connections break: does the lease survive, and is the waiter granted it after the release?", Answer: survival,
		},
	}
}

// survival says what became of leases and waiters.
func survival(m harness.Metrics) string {
	lease := "yes"
	if m[lives] < m["pairs"] {
		lease = fmt.Sprintf("no: %.0f of %.0f leases are lost", m["pairs"]-m[lives], m["pairs"])
	}
	if m[overlap] > 0 {
		lease += fmt.Sprintf(", two holders for %s", span(m[overlap]))
	}
	switch {
	case m[refused] > 0:
		return fmt.Sprintf("%s; %.0f of %.0f waiters get an error", lease, m[refused], m["pairs"])
	case m[never] > 0:
		return fmt.Sprintf("%s; %.0f of %.0f waiters are never granted it", lease, m[never], m["pairs"])
	default:
		return fmt.Sprintf("%s; granted %s later", lease, span(m["wait ms"]))
	}
}

// restarted has all pairs meet, restarts the server and sees what becomes of them.
func restarted(ctx context.Context, p plan) (harness.Metrics, error) {
	p = p.flushed()
	w, m := newWorst(), newMeeting(p.pairs)
	return w.m, each(ctx, p, func(ctx context.Context, pr *pair) error {
		err := m.join(ctx, func() error { return p.store.restart(ctx, away) })
		if err != nil {
			return err
		}
		return pr.aftermath(ctx, w)
	})
}

func reset(ctx context.Context, p plan) (harness.Metrics, error) {
	w := newWorst()
	return w.m, each(ctx, p.flushed(), func(ctx context.Context, p *pair) error {
		for range 5 {
			p.way.Cut()
			p.other.Cut()
			time.Sleep(200 * time.Millisecond)
		}
		return p.aftermath(ctx, w)
	})
}

// aftermath has the holder go on for longer than the time to live and then release, and sees what becomes of it and
// of the waiter.
func (p *pair) aftermath(ctx context.Context, w *worst) error {
	e, lost, err := p.holder.Within(ctx, p.ttl+time.Second)
	if err != nil {
		return err
	}
	since := harness.Now()
	if !lost {
		if err := p.holder.Release(); err != nil {
			return err
		}
		if e, err = p.holder.Next(ctx); err != nil {
			return err
		}
	}
	w.count("pairs", true)
	w.count(lives, e.What == holders.Stopped)
	got, err := p.answer(ctx)
	if err != nil {
		return err
	}
	w.count(refused, got.What == holders.Refused)
	w.count(never, got.What == nothing)
	w.most(overlap, 0)
	if got.What == holders.Granted {
		w.most(overlap, ms(e.At-got.At))
		w.most("wait ms", max(0, ms(got.At-since)))
	}
	return nil
}

// meeting is where pairs wait for each other.
type meeting struct {
	missing atomic.Int64
	met     chan struct{}
}

func newMeeting(n int) *meeting {
	m := &meeting{met: make(chan struct{})}
	m.missing.Store(int64(n))
	return m
}

// join returns when all have joined and the last one has called then.
func (m *meeting) join(ctx context.Context, then func() error) error {
	if m.missing.Add(-1) == 0 {
		err := then()
		close(m.met)
		return err
	}
	select {
	case <-m.met:
		return nil
	case <-ctx.Done(): // a pair that failed does not come
		return ctx.Err()
	}
}
