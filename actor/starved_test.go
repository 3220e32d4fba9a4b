package actor

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// starve leaves the test one processor, kept busy by goroutines that never yield.
func starve(t *testing.T) {
	was := runtime.GOMAXPROCS(1)
	var over atomic.Bool
	var busy sync.WaitGroup
	for range 8 {
		busy.Go(func() {
			for !over.Load() {
			}
		})
	}
	t.Cleanup(func() {
		over.Store(true)
		busy.Wait()
		runtime.GOMAXPROCS(was)
	})
}

// Whoever waits is parked, and whoever is waited for is made ready, never spun for: so asks, full
// mailboxes, cancels, timers, tasks, restarts and the end come through on a scheduler that has hardly any time for them.
func TestAStarvedSchedulerHoldsNothingUp(t *testing.T) {
	system := quiet(t)
	starve(t)
	r := worker(t, system, WithMailbox(1), WithSupervision(Restart(time.Nanosecond, 1)))
	var askers sync.WaitGroup
	for range 8 {
		askers.Go(func() {
			for i := range 5 {
				got, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error {
					reply.Send(i)
					return nil
				})
				if got != i || err != nil {
					t.Errorf("asked %d, got %d, %v", i, got, err)
				}
			}
		})
	}
	askers.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
		reply.Defer(nil)
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an ask that is never answered: %v", err)
	}

	came := make(chan string, 2)
	tell(t, r, func(s *Self[order], _ context.Context) error {
		s.After(time.Millisecond, note(came, "timer"))
		s.Go(func(context.Context) order { return note(came, "task") })
		return nil
	})
	<-came
	<-came
	tell(t, r, func(*Self[order], context.Context) error { panic("restart") })
	tell(t, r, note(came, "restarted"))
	<-came
	if err := r.Drain(context.Background()); err != nil {
		t.Error(err)
	}

	rested := make(chan int, 1)
	a := NewOnDemand("starved", func(n int) { rested <- n }, func(int, *PanicError) {})
	for i := range 5 {
		a.Tell(i)
		<-rested
	}
}
