package actor

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSpawnWhoseStartFails(t *testing.T) {
	for name, fail := range map[string]func() (Behavior[order], error){
		"error":       func() (Behavior[order], error) { return nil, errBroken },
		"panic":       func() (Behavior[order], error) { panic(errBroken) },
		"no behavior": func() (Behavior[order], error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quiet(t, WithHooks(Hooks{Stopped: func(i Info, _ error) {
					if i.Name == "frail" {
						t.Error("the end of an actor that never was")
					}
				}}))
				var child Ref[order]
				var self Ref[order]
				taskEnded := false
				r, err := Spawn(s, "frail", func(s *Self[order]) (Behavior[order], error) {
					self = s.Ref()
					child = worker(t, s)
					s.Go(func(ctx context.Context) order { <-ctx.Done(); taskEnded = true; return nothing })
					return fail()
				}, WithSupervision(Escalate))
				if err == nil || name != "no behavior" && !errors.Is(err, errBroken) || r != (Ref[order]{}) {
					t.Fatalf("Spawn: %v, %v", r, err)
				}
				select {
				case <-child.Done():
				default:
					t.Error("a child is left")
				}
				if !taskEnded || self.TryTell(nothing) == nil {
					t.Error("something of the actor is left")
				}
				for i := range s.Actors() {
					t.Errorf("%s is left", i.Name)
				}
				worker(t, s) // not escalated: the system goes on
			})
		})
	}
}

func TestGoexitInStartLeavesNothing(t *testing.T) {
	s := quiet(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = Spawn(s, "test", func(*Self[order]) (Behavior[order], error) {
			runtime.Goexit() // as t.FailNow does
			return nil, nil
		})
		t.Error("Spawn returned")
	})
	wg.Wait()
	for i := range s.Actors() {
		t.Errorf("%s is left", i.Name)
	}
}

func TestSpawnRefusesWrongArguments(t *testing.T) {
	s := quiet(t)
	start := func(*Self[order]) (Behavior[order], error) { t.Error("started"); return nil, nil }
	for name, spawn := range map[string]func() (Ref[order], error){
		"no scope":          func() (Ref[order], error) { return Spawn(nil, "test", start) },
		"no name":           func() (Ref[order], error) { return Spawn(s, "", start) },
		"no start":          func() (Ref[order], error) { return Spawn[order](s, "test", nil) },
		"empty mailbox":     func() (Ref[order], error) { return Spawn(s, "test", start, WithMailbox(0)) },
		"negative mailbox":  func() (Ref[order], error) { return Spawn(s, "test", start, WithMailbox(-1)) },
		"no idle time":      func() (Ref[order], error) { return Spawn(s, "test", start, WithIdleTimeout(0)) },
		"negative backoff":  func() (Ref[order], error) { return Spawn(s, "test", start, WithSupervision(Restart(-1, 1))) },
		"negative restarts": func() (Ref[order], error) { return Spawn(s, "test", start, WithSupervision(Restart(time.Second, -1))) },
	} {
		if _, err := spawn(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAnActorMayTellItselfInStart(t *testing.T) {
	got := make(chan int, 2)
	_, err := Spawn(quiet(t), "test", func(s *Self[int]) (Behavior[int], error) {
		tell(t, s.Ref(), 1)
		s.After(0, 2)
		return BehaviorFunc[int](func(_ context.Context, n int) error { got <- n; return nil }), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := <-got, <-got; a+b != 3 {
		t.Errorf("got %d and %d", a, b)
	}
}

func TestSpawnUnderAnEndingParent(t *testing.T) {
	r := worker(t, quiet(t))
	selves := make(chan *Self[order], 1)
	tell(t, r, func(s *Self[order], _ context.Context) error { selves <- s; return nil })
	s := <-selves
	r.Stop()
	<-r.Done()
	if _, err := Spawn(s, "late", func(*Self[order]) (Behavior[order], error) { return nil, errBroken }); !errors.Is(err, ErrStopped) {
		t.Errorf("Spawn: %v", err)
	}
}
