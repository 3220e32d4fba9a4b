package actor

import (
	"context"
	"time"
)

// A Self is an actor as its own start function and behavior see it. Its methods are for the actor's
// goroutine, while start or a handler runs; only Ref, Name and Context may be used by others. It is
// also the [Scope] for the actor's children.
type Self[M any] struct{ cell *cell[M] }

func (s *Self[M]) owner() (*System, *core) {
	if s == nil || s.cell == nil {
		return nil, nil
	}
	return s.cell.system, &s.cell.core
}

// Ref gives the actor as others see it.
func (s *Self[M]) Ref() Ref[M] { return Ref[M]{s.cell} }

// Name is that of [Ref.Name].
func (s *Self[M]) Name() string { return s.cell.name }

// Context ends when the actor is told to stop, fails, or has been drained.
func (s *Self[M]) Context() context.Context { return &s.cell.lifetime }

// Next makes b the behavior for the next message on. It panics on nil.
func (s *Self[M]) Next(b Behavior[M]) {
	if isNil(b) {
		panic("actor: Next(nil)")
	}
	s.cell.behavior = b
}

// After makes msg a message of the actor when d has passed, unless the timer is stopped before it
// is handled. It goes ahead of the mailbox, so it cannot be blocked by a full one. A d of zero or
// less means at once. Timers of an actor that ends or restarts are stopped.
func (s *Self[M]) After(d time.Duration, msg M) *Timer {
	c, t := s.cell, newTimer()
	due := &signal{call: func(over bool) error {
		if over || !t.fire() {
			return nil
		}
		return c.handle(envelope[M]{msg: msg})
	}}
	x := c.extra()
	x.timers = append(prune(x.timers, (*Timer).pending), t)
	t.clock = time.AfterFunc(d, func() { c.post(due) })
	return t
}

// Go runs task on a goroutine of the actor's and makes what it returns a message of the actor,
// ahead of the mailbox, so that a full mailbox cannot block it. So a handler never waits for I/O.
// The task's context ends when the actor is told to stop, fails or restarts; the actor does not end
// before its tasks have. If the task panics or calls runtime.Goexit, the actor has failed. The
// result of a task from before a restart, or that comes after the end, is a dead letter; its
// failure is logged. Go panics on nil.
func (s *Self[M]) Go(task func(ctx context.Context) M) {
	if task == nil {
		panic("actor: Go(nil)")
	}
	c := s.cell
	life, ctx := c.life(), c.taskCtx()
	x := c.extra()
	x.working++
	x.tasks.Add(1)
	go c.perform(ctx, life, task)
}

func (c *cell[M]) perform(ctx context.Context, life int, task func(context.Context) M) {
	defer c.extras.tasks.Done()
	wearLabel(c.name)
	var msg M
	var failure error
	returned := false
	defer func() {
		if !returned {
			failure = newPanicError(recover())
		}
		c.post(&signal{call: func(over bool) error { return c.taskDone(over, life, msg, failure) }})
	}()
	msg = task(ctx)
	returned = true
}

// taskDone handles the end of a task, on the actor's goroutine unless it is over.
func (c *cell[M]) taskDone(over bool, life int, msg M, failure error) error {
	if over || life != c.life() { // the life that waited for it is over
		if failure != nil {
			c.system.log().Error("actor: task failed after its actor had ended", "actor", c.name, "failure", failure)
			return nil
		}
		why := ErrStopped
		if over {
			why = c.refusal()
		}
		c.deadLetter(envelope[M]{msg: msg}, why)
		return nil
	}
	c.extras.working--
	if failure != nil {
		return failure
	}
	return c.handle(envelope[M]{msg: msg})
}
