package actor

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestNextIsTheBehaviorForTheNextMessage(t *testing.T) {
	got := make(chan string, 2)
	var second BehaviorFunc[int] = func(context.Context, int) error { got <- "second"; return nil }
	r := spawn(t, quiet(t), func(s *Self[int], _ context.Context, _ int) error {
		s.Next(second)
		got <- "first"
		return nil
	})
	tell(t, r, 1)
	tell(t, r, 2)
	if a, b := <-got, <-got; a != "first" || b != "second" {
		t.Errorf("handled by the %s and the %s behavior", a, b)
	}
}

func TestNextNilPanics(t *testing.T) {
	r := worker(t, quiet(t))
	tell(t, r, func(s *Self[order], _ context.Context) error { s.Next(nil); return nil })
	<-r.Done()
	if p := (*PanicError)(nil); !errors.As(r.Err(), &p) {
		t.Errorf("Err: %v", r.Err())
	}
}

func TestSelfKnowsItself(t *testing.T) {
	r := worker(t, quiet(t))
	tell(t, r, func(s *Self[order], ctx context.Context) error {
		if s.Ref() != r || s.Name() != "test" || r.Name() != "test" || s.Context().Err() != nil {
			t.Error("wrong self")
		}
		for _, ctx := range []context.Context{ctx, s.Context()} {
			if at, ok := ctx.Deadline(); ok || !at.IsZero() {
				t.Errorf("ends at %v", at)
			}
		}
		s.Ref().Stop()
		<-s.Context().Done()
		<-ctx.Done()
		if context.Cause(ctx) != ErrStopped {
			t.Errorf("cause %v", context.Cause(ctx))
		}
		return nil
	})
	<-r.Done()
}

func TestAfterInOrderAndPastAFullMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, got := worker(t, quiet(t), WithMailbox(1)), make(chan int, 4)
		start := time.Now()
		tell(t, r, func(s *Self[order], _ context.Context) error {
			s.After(2*time.Second, note(got, 2))
			s.After(time.Second, note(got, 1))
			s.After(-1, note(got, 0))
			<-time.After(3 * time.Second) // all are due before the next message
			return nil
		})
		tell(t, r, note(got, 3))
		for want := range 4 {
			if n := <-got; n != want {
				t.Errorf("message %d handled in place %d", n, want)
			}
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestTimerStoppedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t))
		tell(t, r, func(s *Self[order], _ context.Context) error {
			timer := s.After(time.Second, func(*Self[order], context.Context) error {
				t.Error("the message of a stopped timer was handled")
				return nil
			})
			<-time.After(2 * time.Second) // its time has come; its message waits for this handler
			if !timer.Stop() || timer.Stop() {
				t.Error("the first Stop must win and the second not")
			}
			return nil
		})
		if err := r.Drain(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestTheZeroTimer(t *testing.T) {
	var timer Timer
	if !timer.Stop() || timer.Stop() {
		t.Error("stopped never or twice, want once")
	}
}

func TestTimersOfAnActorThatEndsAreStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, timers := worker(t, quiet(t)), make(chan *Timer, 1)
		tell(t, r, func(s *Self[order], _ context.Context) error {
			timers <- s.After(time.Hour, nothing)
			return nil
		})
		timer := <-timers
		r.Stop()
		<-r.Done()
		if timer.Stop() || r.Stats().DeadLetters != 0 {
			t.Errorf("the timer was left running; %+v", r.Stats())
		}
	})
}

func TestManyTimersKeepNoListOfThePast(t *testing.T) {
	r := worker(t, quiet(t))
	length := make(chan int, 1)
	tell(t, r, func(s *Self[order], _ context.Context) error {
		for range 10_000 {
			s.After(time.Hour, nothing).Stop()
		}
		length <- len(s.cell.extras.timers)
		return nil
	})
	if n := <-length; n > 16 {
		t.Errorf("%d timers remembered, all of them stopped", n)
	}
}

func TestTaskResultPassesAFullMailbox(t *testing.T) {
	r := worker(t, quiet(t), WithMailbox(1))
	got, computed := make(chan string, 2), make(chan struct{})
	tell(t, r, func(s *Self[order], _ context.Context) error {
		s.Go(func(context.Context) order {
			<-computed
			return note(got, "result")
		})
		return nil
	})
	release := block(t, r)
	tell(t, r, note(got, "message")) // full
	close(computed)
	for r.cell.signals.Load() == nil { // until the result waits, too
		runtime.Gosched()
	}
	release()
	if first, second := <-got, <-got; first != "result" || second != "message" {
		t.Errorf("%s before %s", first, second)
	}
}

func TestStopCancelsTasksAndWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ended := worker(t, quiet(t)), false
		tell(t, r, func(s *Self[order], _ context.Context) error {
			s.Go(func(ctx context.Context) order {
				<-ctx.Done()
				<-time.After(time.Second) // cleaning up
				ended = true
				return nothing
			})
			return nil
		})
		synctest.Wait()
		r.Stop()
		<-r.Done()
		if s := r.Stats(); !ended || s.DeadLetters != 1 {
			t.Errorf("ended %v, %+v; want the result as a dead letter", ended, s)
		}
	})
}
