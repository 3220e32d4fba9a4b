package actor

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// A Supervision decides what becomes of an actor that has failed: whose handler or task
// panicked, called runtime.Goexit or returned an error. In every case the ask being handled
// fails with that failure at once, deferred asks fail, timers are stopped, children end.
type Supervision struct {
	escalate bool
	backoff  time.Duration
	budget   int
}

var (
	// Stop ends the actor. It is the default: a lock restarted with fresh state would
	// grant twice.
	Stop = Supervision{}
	// Escalate ends the actor and makes its parent fail with the same failure; a
	// top-level actor's failure stops all actors of its system.
	Escalate = Supervision{escalate: true}
)

const (
	// longestBackoff bounds the doubling of a backoff that began shorter.
	longestBackoff = time.Minute
	// steadyLife is how long a life must last for its failure to count as the first in a row.
	steadyLife = time.Minute
)

// Restart makes the actor anew with its start function. The mailbox and its messages stay; only the
// one that was being handled is lost. It is for workers without state of value.
//
// Before the first restart in a row it waits for backoff, before each further one twice as
// long, up to a minute or backoff, whichever is longer. After budget restarts in a row, the
// next failure ends the actor. A life of a minute or more begins a new row.
func Restart(backoff time.Duration, budget int) Supervision {
	return Supervision{backoff: backoff, budget: budget}
}

// delay says how long to wait before the n-th restart in a row, from 1 on.
func (s Supervision) delay(n int) time.Duration {
	d, most := s.backoff, max(s.backoff, longestBackoff)
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	return min(d, most)
}

// survive ends the actor, or reports that it shall be started anew.
func (c *cell[M]) survive(failure error) bool {
	if c.state.Load() == stopping && (errors.Is(failure, ErrStopped) || errors.Is(failure, context.Canceled)) {
		failure = nil // the handler gave up since the actor was told to stop
	}
	if failure != nil && c.lives != nil && c.restart(failure) {
		return true
	}
	c.terminate(failure)
	return false
}

// restart cleans up after a life, waits, and reports whether there shall be another.
func (c *cell[M]) restart(failure error) bool {
	now := time.Now()
	if now.Sub(c.lives.began) >= steadyLife {
		c.lives.failures = 0
	}
	c.lives.failures++
	if c.lives.failures > c.lives.policy.budget || c.state.Load() >= stopping {
		return false
	}
	c.lives.end()
	x := c.extra()
	x.failDeferred(failure)
	x.stopTimers()
	x.unwatch()
	c.endChildren(false)
	x.working = 0
	c.lives.before++
	c.behavior = nil

	delay := c.lives.policy.delay(c.lives.failures)
	c.logRestart(failure, delay)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select { // a stop wins over a restart, also when both are due
	case <-timer.C:
	case <-c.lifetime.Done():
	}
	if c.state.Load() >= stopping {
		return false
	}
	c.admitChildren()
	c.newLife()
	c.lives.restarts.Add(1)
	if h := c.system.hooks.Restarted; h != nil {
		c.system.hook(c.name, "Restarted", func() { h(c.info(), failure) })
	}
	return true
}

// logRestart logs the failure, with its stack if it is a panic.
func (c *cell[M]) logRestart(failure error, delay time.Duration) {
	args := []any{"actor", c.name, "failure", failure, "in", delay}
	var p *PanicError
	if errors.As(failure, &p) {
		args = append(args, "stack", string(p.Stack))
	}
	c.system.log().Warn("actor: restarting", args...)
}

// A lives is what an actor needs only if it may have several.
type lives struct {
	policy   Supervision
	before   int // how many lives have failed
	restarts atomic.Uint64
	failures int                // in a row
	began    time.Time          // this one
	ctx      context.Context    // of this one's tasks, a child of the lifetime
	end      context.CancelFunc // ends ctx
}

// life is a number that only this life has.
func (c *core) life() int {
	if c.lives == nil {
		return 0
	}
	return c.lives.before
}

func (c *core) newLife() {
	c.lives.ctx, c.lives.end = context.WithCancel(&c.lifetime)
	c.lives.began = time.Now()
}

// taskCtx is the context of a task that begins now.
func (c *core) taskCtx() context.Context {
	if c.lives != nil {
		return c.lives.ctx
	}
	return &c.lifetime
}
