package actors

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/bench/harness"

	proto "github.com/asynkron/protoactor-go/actor"
)

// spawnStop is an actor's birth and death.
func spawnStop() harness.Case {
	return harness.Case{
		Name:   "Spawn + Stop + Done",
		Models: "an actor for each connection, say",
		Sides: []harness.Side{
			{Name: ours, Run: harness.Loop(func(_ context.Context, n int) error {
				s, shut := system()
				for range n {
					ref, err := actor.Spawn(s, "mayfly", idleActor, actor.WithMailbox(mailbox))
					if err != nil {
						return err
					}
					ref.Stop()
					<-ref.Done()
				}
				return shut()
			})},
			{Name: plain, Run: harness.Loop(func(_ context.Context, n int) error {
				for range n {
					_, end := idleGoroutine()
					end()
				}
				return nil
			})},
			{Name: peer, Run: harness.Loop(func(_ context.Context, n int) error {
				s, shut := protoSystem()
				defer shut()
				for range n {
					pid := s.Root.Spawn(protoIdle())
					if err := s.Root.StopFuture(pid).Wait(); err != nil {
						return err
					}
				}
				return nil
			})},
		},
		Missed: "A third is allocation: mailbox, context and state are made before the first message. Two channels of the " +
			"baseline are all that it makes (docs/internals/actor.md)",
		Checks: []harness.Check{
			{What: "Spawn + Stop + Done", Metric: "ns/op", Ours: ours, Base: []string{plain}, Bound: 1.3},
			{What: "Spawn + Stop + Done", Metric: "ns/op", Ours: ours, Base: []string{peer}, NoTarget: true},
		},
	}
}

// idle is a hundred thousand actors: what each weighs while nothing happens, and one message to each.
func idle() harness.Case {
	const onDemand = "OnDemand"
	return harness.Case{
		Name:   "100 000 actors",
		Models: "one actor for each of many things, most of them idle",
		Rounds: 3,
		Sides: []harness.Side{
			{Name: ours, Run: crowd(actorCrowd)},
			{Name: onDemand, Run: crowd(onDemandCrowd)},
			{Name: plain, Run: crowd(channelCrowd)},
			{Name: peer, Run: crowd(protoCrowd)},
		},
		Checks: []harness.Check{
			{What: "idle actor", Metric: "B", Ours: ours, Bound: 4096},
			{What: "idle actor, activated on demand", Metric: "B", Ours: onDemand, Bound: 128},
			{What: "idle actor, activated on demand: goroutines", Metric: "goroutines", Ours: onDemand, Bound: 0.001},
			{What: "idle actor", Metric: "B", Ours: ours, Base: []string{plain}, NoTarget: true},
			{What: "one message to each of 100 000 actors", Metric: "ns/op", Ours: ours, Base: []string{plain}, NoTarget: true},
			{What: "one message to each of 100 000 actors", Metric: "ns/op", Ours: ours, Base: []string{peer}, NoTarget: true},
		},
	}
}

// members is a crowd: how to tell number i, and how to end all.
type members struct {
	tell func(i int, m message) error
	end  func() error
}

// crowd measures n members: bytes and goroutines of each, and the time for a message to each.
func crowd(gather func(n int, handle func(message)) (members, error)) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return func(_ context.Context, b harness.Budget) (harness.Metrics, error) {
		n := b.Pick(100_000, 100)
		goroutines, before := runtime.NumGoroutine(), memory()
		var wg sync.WaitGroup
		all, err := gather(n, func(message) { wg.Done() })
		if err != nil {
			return nil, err
		}
		m := harness.Metrics{
			"B":          (memory() - before) / float64(n),
			"goroutines": float64(runtime.NumGoroutine()-goroutines) / float64(n),
		}
		wg.Add(n)
		start := time.Now()
		for i := range n {
			if err := all.tell(i, message{seq: i}); err != nil {
				return nil, err
			}
		}
		wg.Wait()
		m["ns/op"] = float64(time.Since(start).Nanoseconds()) / float64(n)
		return m, all.end()
	}
}

func actorCrowd(n int, handle func(message)) (members, error) {
	s, shut := system()
	refs := make([]actor.Ref[message], n)
	for i := range refs {
		var err error
		refs[i], err = actor.Spawn(s, "member", func(*actor.Self[message]) (actor.Behavior[message], error) {
			return actor.BehaviorFunc[message](func(_ context.Context, m message) error { handle(m); return nil }), nil
		}, actor.WithMailbox(4))
		if err != nil {
			return members{}, errors.Join(err, shut())
		}
	}
	return members{end: shut, tell: func(i int, m message) error { return refs[i].Tell(context.Background(), m) }}, nil
}

func onDemandCrowd(n int, handle func(message)) (members, error) {
	all := make([]*actor.OnDemand[message], n)
	for i := range all {
		all[i] = actor.NewOnDemand("member", handle, func(message, *actor.PanicError) {})
	}
	return members{end: func() error { return nil }, tell: func(i int, m message) error { all[i].Tell(m); return nil }}, nil
}

func channelCrowd(n int, handle func(message)) (members, error) {
	all := make([]chan message, n)
	var wg sync.WaitGroup
	for i := range all {
		c := make(chan message, 4)
		all[i] = c
		wg.Go(func() {
			for m := range c {
				handle(m)
			}
		})
	}
	return members{tell: func(i int, m message) error { all[i] <- m; return nil }, end: func() error {
		for _, c := range all {
			close(c)
		}
		wg.Wait()
		return nil
	}}, nil
}

// protoCrowd tells all to stop before it waits for any: one after the other they would take minutes.
func protoCrowd(n int, handle func(message)) (members, error) {
	s, shut := protoSystem()
	all := make([]*proto.PID, n)
	var live sync.WaitGroup
	live.Add(n)
	for i := range all {
		all[i] = s.Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
			switch m := c.Message().(type) {
			case message:
				handle(m)
			case *proto.Stopped:
				live.Done()
			}
		}))
	}
	return members{tell: func(i int, m message) error { s.Root.Send(all[i], m); return nil }, end: func() error {
		for _, pid := range all {
			s.Root.Stop(pid)
		}
		live.Wait()
		shut()
		return nil
	}}, nil
}

func idleActor(*actor.Self[message]) (actor.Behavior[message], error) {
	return actor.BehaviorFunc[message](func(context.Context, message) error { return nil }), nil
}

// idleGoroutine is what one writes without a library: a mailbox, a quit and a done channel.
func idleGoroutine() (chan<- message, func()) {
	c, quit, done := make(chan message, mailbox), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-c:
			case <-quit: // what is still in the mailbox is dropped
				return
			}
		}
	}()
	return c, func() { close(quit); <-done }
}

func protoIdle() *proto.Props {
	return proto.PropsFromFunc(func(proto.Context) {}, proto.WithMailbox(proto.Bounded(mailbox)))
}

// memory returns the bytes of heap objects and stacks in use, after a collection.
func memory() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
