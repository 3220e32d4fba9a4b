package actor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
)

// TestShutdownFromSeveralGoroutines shuts a system down at any time from three goroutines, while
// others spawn, ask, defer, start tasks and block.
func TestShutdownFromSeveralGoroutines(t *testing.T) {
	rounds := 300
	if raceEnabled {
		rounds = 60
	}
	for round := range rounds {
		s := NewSystem(WithLogger(slog.New(slog.DiscardHandler)))
		var wg sync.WaitGroup
		begun := make(chan struct{}, 100)
		for i := range 4 {
			wg.Go(func() {
				for n := 0; ; n++ {
					r, err := Spawn(s, "busy", newOrderly)
					if err != nil {
						if !errors.Is(err, ErrStopped) {
							t.Errorf("Spawn: %v", err)
						}
						return
					}
					_, err = askWorker(context.Background(), r, busyOrders[(i+n)%len(busyOrders)])
					if err != nil && !errors.Is(err, ErrStopped) {
						t.Errorf("Ask: %v", err)
					}
					select {
					case begun <- struct{}{}:
					default:
					}
				}
			})
		}
		for range 1 + round%10 {
			<-begun
		}
		for i := range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if i > 0 {
					go cancel() // at any time
				}
				if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("Shutdown: %v", err)
				}
			})
		}
		wg.Wait()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for info := range s.Actors() {
			t.Errorf("round %d: %s is left", round, info.Name)
		}
	}
}

// busyOrders are orders that answer and leave something running.
var busyOrders = []func(*Self[order], Reply[int]) error{
	func(_ *Self[order], reply Reply[int]) error { reply.Send(1); return nil },
	func(s *Self[order], reply Reply[int]) error {
		reply.Defer(nil)
		s.Go(func(context.Context) order {
			return func(*Self[order], context.Context) error { reply.Send(1); return nil }
		})
		return nil
	},
	func(s *Self[order], reply Reply[int]) error {
		reply.Send(1)
		child, err := Spawn(s, "child", newOrderly)
		if err == nil {
			err = child.Tell(s.Context(), untilStopped(nil))
		}
		if errors.Is(err, ErrStopped) || errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	},
	func(s *Self[order], reply Reply[int]) error {
		reply.Send(1)
		s.Go(func(ctx context.Context) order { <-ctx.Done(); return nothing })
		return nil
	},
}
