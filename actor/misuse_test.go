package actor

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/apitest"
)

// TestMisuse has a row for every exported function: nil contexts, receivers, functions and options,
// zero values, replies that no asker waits for, and absurd sizes.
func TestMisuse(t *testing.T) {
	rows := misusedRefs(t)
	rows = append(rows, misusedSelves(t)...)
	rows = append(rows, misusedActivities()...)
	apitest.Run(t, rows, map[string]string{
		"WithHooks": "Hooks may be zero, and any of them nil",
	})
}

// do gives a call without a result the result nil.
func do(f func()) func() any { return func() any { f(); return nil } }

const nilPointer = apitest.NilPointer

// idle is a start function for actors that do nothing.
func idle(*Self[int]) (Behavior[int], error) {
	return BehaviorFunc[int](func(context.Context, int) error { return nil }), nil
}

func spawned(in Scope, name string, start func(*Self[int]) (Behavior[int], error), opts ...SpawnOption) func() any {
	return func() any {
		r, err := Spawn(in, name, start, opts...)
		if err == nil {
			return errors.New("it runs: " + r.Name())
		}
		return err
	}
}

func misusedRefs(t *testing.T) []apitest.Row {
	var none context.Context
	var zero Ref[int]
	var nobody Reply[int]
	var noSystem *System
	bg := t.Context()
	system := quiet(t)
	live, err := Spawn(system, "live", idle)
	if err != nil {
		t.Fatal(err)
	}
	const (
		stopped    = "error: actor: stopped"
		nilContext = "error: actor: nil context"
		incomplete = "error: actor: spawn needs a scope, a name and a start function"
	)
	asked := func(ctx context.Context, to Ref[int], build func(Reply[int]) int) func() any {
		return func() any { _, err := Ask(ctx, to, build); return err }
	}
	number := func(Reply[int]) int { return 1 }
	return []apitest.Row{
		bad("Ask", "zero Ref", asked(bg, zero, number), stopped),
		bad("Ask", "nil context", asked(none, live, number), nilContext),
		bad("Ask", "nil build", asked(bg, live, nil), "error: actor: ask needs a build function"),
		bad("Ref.Tell", "zero Ref", func() any { return zero.Tell(bg, 1) }, stopped),
		bad("Ref.Tell", "nil context", func() any { return live.Tell(none, 1) }, nilContext),
		bad("Ref.TryTell", "zero Ref", func() any { return zero.TryTell(1) }, stopped),
		bad("Ref.Stop", "zero Ref", do(zero.Stop), "<nil>"),
		bad("Ref.Drain", "zero Ref", func() any { return zero.Drain(bg) }, "<nil>"),
		bad("Ref.Drain", "nil context", func() any { return live.Drain(none) }, nilContext),
		bad("Ref.Done", "zero Ref", do(func() { <-zero.Done() }), "<nil>"),
		bad("Ref.Err", "zero Ref", func() any { return zero.Err() }, stopped),
		bad("Ref.Name", "zero Ref", func() any { return "name " + zero.Name() }, "name "),
		bad("Ref.Stats", "zero Ref", func() any { return zero.Stats() == Stats{} }, "true"),

		bad("Reply.Send", "zero Reply", func() any { return nobody.Send(1) }, "false"),
		bad("Reply.Send", "twice", twice(bg, system, func(r Reply[int]) bool { return r.Send(2) }), "false"),
		bad("Reply.Fail", "zero Reply", func() any { return nobody.Fail(nil) }, "false"),
		bad("Reply.Fail", "after Send", twice(bg, system, func(r Reply[int]) bool { return r.Fail(nil) }), "false"),
		bad("Reply.Defer", "zero Reply", do(func() { nobody.Defer(nil) }), "<nil>"),
		bad("Reply.Defer", "after Send", twice(bg, system, func(r Reply[int]) bool { r.Defer(nil); return false }), "false"),

		bad("Spawn", "nil scope", spawned(nil, "a", idle), incomplete),
		bad("Spawn", "nil System", spawned(noSystem, "a", idle), incomplete),
		bad("Spawn", "nil Self", spawned((*Self[int])(nil), "a", idle), incomplete),
		bad("Spawn", "zero Self", spawned(&Self[int]{}, "a", idle), incomplete),
		bad("Spawn", "no name", spawned(system, "", idle), incomplete),
		bad("Spawn", "nil start", spawned(system, "a", nil), incomplete),
		bad("Spawn", "nil option", spawned(system, "a", idle, nil), "error: actor: spawn a: a nil option"),
		bad("Spawn", "nil behavior", spawned(system, "a", func(*Self[int]) (Behavior[int], error) { return nil, nil }),
			"error: actor: spawn a: actor: start returned no behavior"),
		bad("Spawn", "nil BehaviorFunc", spawned(system, "a", func(*Self[int]) (Behavior[int], error) { return BehaviorFunc[int](nil), nil }),
			"error: actor: spawn a: actor: start returned no behavior"),
		bad("WithMailbox", "none", spawned(system, "a", idle, WithMailbox(0)), "error: actor: spawn a: mailbox of 0 messages"),
		bad("WithMailbox", "absurd", spawned(system, "a", idle, WithMailbox(math.MaxInt)), "error: actor: spawn a: mailbox of "),
		bad("WithSupervision", "negative", spawned(system, "a", idle, WithSupervision(Restart(-1, 1))), "error: actor: spawn a: restart with"),
		bad("Restart", "negative", spawned(system, "a", idle, WithSupervision(Restart(1, math.MinInt))), "error: actor: spawn a: restart with"),
		bad("WithIdleTimeout", "zero", spawned(system, "a", idle, WithIdleTimeout(0)), "error: actor: spawn a: idle timeout of 0s"),
		bad("WithIdleTimeout", "negative", spawned(system, "a", idle, WithIdleTimeout(math.MinInt64)), "error: actor: spawn a: idle timeout of -"),

		bad("NewSystem", "nil option", func() any { return NewSystem(nil).Shutdown(bg) }, "<nil>"),
		bad("WithLogger", "nil", func() any { return WithLogger(nil) }, "panic: actor: WithLogger(nil)"),
		bad("System.Shutdown", "nil context", func() any { return NewSystem().Shutdown(none) }, nilContext),
		bad("System.Shutdown", "zero System", func() any { return new(System).Shutdown(bg) }, "<nil>"),
		bad("System.Shutdown", "nil receiver", func() any { return noSystem.Shutdown(bg) }, nilPointer),
		bad("System.Actors", "zero System", do(func() { new(System).Actors()(nil) }), "<nil>"),
		bad("System.Actors", "nil receiver", do(func() { noSystem.Actors()(nil) }), nilPointer),
		bad("PanicError.Error", "nil receiver", func() any { return (*PanicError)(nil).Error() }, nilPointer),
		bad("PanicError.Unwrap", "no error", func() any { return (&PanicError{Value: 1}).Unwrap() }, "<nil>"),
	}
}

// twice asks an actor that replies 1, and returns the result of a second use of the same reply. The
// answer stays 1.
func twice(ctx context.Context, system *System, then func(Reply[int]) bool) func() any {
	return func() any {
		second := false
		r, err := Spawn(system, "twice", func(*Self[Reply[int]]) (Behavior[Reply[int]], error) {
			return BehaviorFunc[Reply[int]](func(_ context.Context, r Reply[int]) error {
				r.Send(1)
				second = then(r)
				return nil
			}), nil
		})
		if err != nil {
			return err
		}
		v, err := Ask(ctx, r, func(r Reply[int]) Reply[int] { return r })
		if err != nil || v != 1 {
			return errors.Join(errors.New("the first answer is lost"), err)
		}
		if err := r.Drain(ctx); err != nil {
			return err
		}
		return second
	}
}

func misusedSelves(t *testing.T) []apitest.Row {
	var zero Self[int]
	// inside makes a call in a handler, and returns the failure of the actor.
	inside := func(f func(*Self[int])) func() any {
		return func() any {
			r, err := Spawn(quiet(t), "inside", func(s *Self[int]) (Behavior[int], error) {
				return BehaviorFunc[int](func(context.Context, int) error { f(s); return nil }), nil
			})
			if err != nil {
				return err
			}
			tell(t, r, 1)
			if err := r.Drain(t.Context()); err != nil {
				return err
			}
			return r.Err()
		}
	}
	told := func(error) int { return 1 }
	return []apitest.Row{
		bad("Watch", "nil function", inside(func(s *Self[int]) { Watch(s, Ref[int]{}, nil) }), "error: actor: panic: actor: Watch needs"),
		bad("Watch", "zero Ref", inside(func(s *Self[int]) { Watch(s, Ref[int]{}, told); s.Next(BehaviorFunc[int](next)) }),
			"error: next"),
		bad("Watch", "zero Self", do(func() { Watch(&zero, Ref[int]{}, told) }), nilPointer),
		bad("Self.Next", "nil", inside(func(s *Self[int]) { s.Next(nil) }), "error: actor: panic: actor: Next(nil)"),
		bad("Self.Next", "nil BehaviorFunc", inside(func(s *Self[int]) { s.Next(BehaviorFunc[int](nil)) }), "error: actor: panic: actor: Next(nil)"),
		bad("Self.Go", "nil", inside(func(s *Self[int]) { s.Go(nil) }), "error: actor: panic: actor: Go(nil)"),
		bad("Self.Go", "zero Self", do(func() { zero.Go(func(context.Context) int { return 1 }) }), nilPointer),
		bad("Self.After", "long ago", inside(func(s *Self[int]) { s.After(math.MinInt64, 1); s.Next(BehaviorFunc[int](next)) }), "error: "),
		bad("Self.After", "zero Self", do(func() { zero.After(1, 1) }), nilPointer),
		bad("Self.Ref", "zero Self", func() any { return zero.Ref().Err() }, "error: actor: stopped"),
		bad("Self.Name", "zero Self", func() any { return zero.Name() }, nilPointer),
		bad("Self.Context", "zero Self", func() any { return zero.Context() }, nilPointer),
		bad("BehaviorFunc.Receive", "nil", func() any { return BehaviorFunc[int](nil).Receive(t.Context(), 1) }, nilPointer),
	}
}

// next is a behavior that fails with its own name, to show that it was reached.
func next(context.Context, int) error { return errors.New("next") }

func misusedActivities() []apitest.Row {
	var a Activity
	var zero OnDemand[int]
	var nobody *OnDemand[int]
	var noTimer *Timer
	const unmade = "panic: actor: use of a zero OnDemand: make it with NewOnDemand"
	receive := func(int) {}
	failed := func(int, *PanicError) {}
	made := NewOnDemand("made", receive, failed)
	return []apitest.Row{
		bad("Activity.Wake", "nil", do(func() { a.Wake(nil) }), "panic: actor: Wake of a nil Turner"),
		bad("Activity.Enter", "after what was refused", func() any { return a.Enter() }, "true"),
		bad("Activity.Enter", "twice", func() any { return a.Enter() }, "false"),
		bad("Activity.Settle", "a turn goes on, outside all bubbles", do(func() { a.Settle() }), "<nil>"),
		bad("Activity.Again", "nobody woke it", func() any { return a.Again() }, "false"),
		bad("Activity.Leave", "nil", do(func() { a.Leave(nil) }), "panic: actor: Leave of a nil Turner"),
		bad("Activity.Leave", "entered", do(func() { a.Leave((*turner[int])(made)) }), "<nil>"),
		bad("Activity.Leave", "not entered", do(func() { a.Leave((*turner[int])(made)) }), "panic: actor: Leave without Enter"),
		bad("Activity.Enter", "after all that", func() any { return a.Enter() }, "true"),
		bad("Activity.Enter", "nil receiver", func() any { return (*Activity)(nil).Enter() }, nilPointer),

		bad("NewOnDemand", "nil receive", func() any { return NewOnDemand("a", nil, failed) }, "panic: actor: NewOnDemand needs"),
		bad("NewOnDemand", "nil failed", func() any { return NewOnDemand("a", receive, nil) }, "panic: actor: NewOnDemand needs"),
		bad("OnDemand.Tell", "zero value", do(func() { zero.Tell(1) }), unmade),
		bad("OnDemand.Tell", "nil receiver", do(func() { nobody.Tell(1) }), nilPointer),
		bad("OnDemand.Deliver", "zero value", do(func() { zero.Deliver(1) }), unmade),
		bad("OnDemand.Deliver", "nil receiver", do(func() { nobody.Deliver(1) }), nilPointer),
		bad("OnDemand.TryDeliver", "zero value", func() any { return zero.TryDeliver(1) }, unmade),
		bad("OnDemand.TryDeliver", "nil receiver", func() any { return nobody.TryDeliver(1) }, nilPointer),
		bad("OnDemand.Go", "zero value", do(func() { zero.Go(func() int { return 1 }) }), unmade),
		bad("OnDemand.Go", "nil", do(func() { made.Go(nil) }), "panic: actor: Go(nil)"),
		bad("OnDemand.Go", "nil receiver", do(func() { nobody.Go(func() int { return 1 }) }), nilPointer),
		bad("OnDemand.After", "zero value", func() any { return zero.After(time.Hour, 1) }, unmade),
		bad("OnDemand.After", "nil receiver", func() any { return nobody.After(time.Hour, 1) }, nilPointer),
		bad("Timer.Stop", "zero value", func() any { return new(Timer).Stop() }, "true"),
		bad("Timer.Stop", "nil receiver", func() any { return noTimer.Stop() }, nilPointer),
	}
}

// bad is a row of the table.
func bad(name, which string, call func() any, want string) apitest.Row {
	return apitest.Row{Name: name, Case: which, Call: call, Want: want}
}
