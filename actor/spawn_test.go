package actor

import (
	"context"
	"errors"
	"log/slog"
	"math"
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
		"huge mailbox":      func() (Ref[order], error) { return Spawn(s, "test", start, WithMailbox(math.MaxInt)) },
		"nil option":        func() (Ref[order], error) { return Spawn(s, "test", start, nil) },
		"nil system":        func() (Ref[order], error) { return Spawn((*System)(nil), "test", start) },
		"nil self":          func() (Ref[order], error) { return Spawn((*Self[order])(nil), "test", start) },
		"zero self":         func() (Ref[order], error) { return Spawn(&Self[order]{}, "test", start) },
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

// A nil context is refused with an error; nothing is sent, and nobody is stopped.
func TestNilContextIsRefused(t *testing.T) {
	var none context.Context // a literal nil would be refused by the linter, not by us
	s := NewSystem(nil, WithLogger(slog.New(slog.DiscardHandler)), nil)
	handled := 0
	r, err := Spawn(s, "test", func(*Self[Reply[int]]) (Behavior[Reply[int]], error) {
		return BehaviorFunc[Reply[int]](func(_ context.Context, r Reply[int]) error { handled++; r.Send(handled); return nil }), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	itself := func(r Reply[int]) Reply[int] { return r }
	_, asked := Ask(none, r, itself)
	for what, err := range map[string]error{
		"Tell": r.Tell(none, Reply[int]{}), "Ask": asked, "Drain": r.Drain(none), "Shutdown": s.Shutdown(none),
	} {
		if !errors.Is(err, errNilContext) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n, err := Ask(t.Context(), r, itself); n != 1 || err != nil {
		t.Errorf("the first message after the refused ones: %d, %v", n, err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
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
