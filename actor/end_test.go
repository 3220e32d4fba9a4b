package actor

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// untilStopped is an order whose handler gives up only when the actor is told to stop.
func untilStopped(failure error) order {
	return func(_ *Self[order], ctx context.Context) error {
		<-ctx.Done()
		return failure
	}
}

// TestStopReachesChildrenThatAreBeingDrained stops an actor that has handled all it had and waits
// for its children, and theirs, to do the same, which would take for ever.
func TestStopReachesChildrenThatAreBeingDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var blocked []Ref[order]
		parent := worker(t, quiet(t))
		tell(t, parent, func(s *Self[order], _ context.Context) error {
			for range 3 {
				child := worker(t, s)
				blocked = append(blocked, child)
				tell(t, child, func(s *Self[order], _ context.Context) error {
					grandchild := worker(t, s)
					tell(t, grandchild, untilStopped(nil))
					return nil
				})
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := parent.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		synctest.Wait()
		for i, r := range append(blocked, parent) {
			if r.Err() != ErrStopped {
				t.Errorf("actor %d: %v, want it ended", i, r.Err())
			}
		}
	})
}

// TestALaterLifeDoesNotFailWithAnEarlierOnesChildren has two children fail while their parent, which
// has one restart, is ending them to start anew.
func TestALaterLifeDoesNotFailWithAnEarlierOnesChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t), WithSupervision(Restart(time.Second, 1)))
		tell(t, r, func(s *Self[order], _ context.Context) error {
			for range 2 {
				tell(t, worker(t, s, WithSupervision(Escalate)), untilStopped(errBroken))
			}
			return nil
		})
		synctest.Wait()
		tell(t, r, failures["panic"])
		<-time.After(time.Minute)
		if st := r.Stats(); r.Err() != nil || st.Restarts != 1 {
			t.Errorf("%v after %d restarts, want one restart", r.Err(), st.Restarts)
		}
	})
}

// TestAnEscalatedFailureIsKnownWhenTheActorIsDone waits for an actor and then shuts down.
func TestAnEscalatedFailureIsKnownWhenTheActorIsDone(t *testing.T) {
	for range 2000 {
		s := quiet(t)
		r := worker(t, s, WithSupervision(Escalate))
		tell(t, r, failures["error"])
		<-r.Done()
		if err := s.Shutdown(context.Background()); !errors.Is(err, errBroken) {
			t.Fatalf("Shutdown: %v, want what was escalated", err)
		}
	}
}

// TestShutdownMissesNoActorThatIsAboutToEnd shuts down while an actor ends because it has failed.
func TestShutdownMissesNoActorThatIsAboutToEnd(t *testing.T) {
	for range 3000 {
		s := quiet(t)
		r := worker(t, s, WithSupervision(Escalate))
		tell(t, r, failures["error"])
		if err := s.Shutdown(context.Background()); !errors.Is(err, errBroken) {
			t.Fatalf("Shutdown: %v, want what was escalated", err)
		}
		if r.Err() == nil {
			t.Fatal("Shutdown returned before Done was closed")
		}
	}
}

// TestAChildThatFailsWithItsParentFailsNoLaterLife has a parent and its child fail at the same time.
func TestAChildThatFailsWithItsParentFailsNoLaterLife(t *testing.T) {
	for range 3000 {
		var why journal // why the parent was restarted
		s := quiet(t, WithHooks(Hooks{Restarted: func(_ Info, err error) {
			if errors.Is(err, errBroken) {
				why.add("child")
			} else {
				why.add("own")
			}
		}}))
		parent, children := worker(t, s, WithSupervision(Restart(0, 2))), make(chan Ref[order], 1)
		tell(t, parent, func(self *Self[order], _ context.Context) error {
			children <- worker(t, self, WithSupervision(Escalate))
			return nil
		})
		child := <-children
		go func() { _ = child.TryTell(failures["error"]) }()
		tell(t, parent, func(*Self[order], context.Context) error { return errors.New("own failure") })
		<-child.Done()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Fatalf("Shutdown: %v", err)
		}
		if why.String() == "own child" {
			t.Fatal("the second life of the parent failed with a child of the first")
		}
	}
}

// TestATaskThatPanicsAfterTheEndIsLogged looks for a panic of which nobody else is left to be told.
func TestATaskThatPanicsAfterTheEndIsLogged(t *testing.T) {
	var log bytes.Buffer
	r := worker(t, quiet(t, WithLogger(slog.New(slog.NewTextHandler(&log, nil)))))
	tell(t, r, func(s *Self[order], _ context.Context) error {
		s.Go(func(ctx context.Context) order {
			<-ctx.Done()
			panic("too late")
		})
		return nil
	})
	tell(t, r, func(s *Self[order], _ context.Context) error { s.Ref().Stop(); return nil })
	<-r.Done()
	if !strings.Contains(log.String(), "too late") {
		t.Errorf("log: %s", &log)
	}
	if r.Err() != ErrStopped {
		t.Errorf("Err: %v", r.Err())
	}
}
