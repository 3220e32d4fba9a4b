package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/bench/harness"

	proto "github.com/asynkron/protoactor-go/actor"
)

// tell is messages from producers to one consumer, counted when the last has been handled.
func tell(producers int) harness.Case {
	c := harness.Case{
		Name:   fmt.Sprintf("Tell, %d producers", producers),
		Models: "events that go to the owner of some state; the time is from the first send to the last message handled",
		Sides: []harness.Side{
			{Name: ours, Run: told(producers, toActor)},
			{Name: plain, Run: told(producers, toPlain)},
			{Name: ctxed, Run: told(producers, toCtx)},
			{Name: peer, Run: told(producers, toProto)},
		},
	}
	what, bound := "Tell, end to end, mailbox 64", 1.25
	if producers > 1 {
		what, bound = fmt.Sprintf("Tell, %d producers", producers), 1.7
	}
	c.Checks = []harness.Check{
		{What: what, Metric: "ns/op", Ours: ours, Base: []string{plain}, Bound: bound},
		{What: what + ", allocations", Metric: "allocs/op", Ours: ours, Bound: 0.01},
		{What: what, Metric: "ns/op", Ours: ours, Base: []string{ctxed}, NoTarget: true},
		{What: what, Metric: "ns/op", Ours: ours, Base: []string{peer}, NoTarget: true},
	}
	return c
}

// consumer is one that takes messages: how to send to it, and how to end it.
type consumer struct {
	send func(ctx context.Context, m message) error
	end  func() error
}

// told measures producers that send n messages in all to a consumer that counts them.
func told(producers int, make1 func(handle func(message)) (consumer, error)) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return harness.Loop(func(ctx context.Context, n int) error {
		n = (n + producers - 1) / producers * producers
		seen := 0
		c, err := make1(func(m message) {
			seen += m.bytes
			if seen == n {
				close(m.last)
			}
		})
		if err != nil {
			return err
		}
		last := make(chan struct{})
		errs := make([]error, producers)
		var wg sync.WaitGroup
		for p := range producers {
			wg.Go(func() {
				for i := range n / producers {
					if err := c.send(ctx, message{seq: i, bytes: 1, last: last}); err != nil {
						errs[p] = err
						return
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		<-last
		return c.end()
	})
}

func toActor(handle func(message)) (consumer, error) {
	s, shut := system()
	ref, err := actor.Spawn(s, "consumer", func(*actor.Self[message]) (actor.Behavior[message], error) {
		return handler(handle), nil
	}, actor.WithMailbox(mailbox))
	return consumer{send: ref.Tell, end: shut}, err
}

// handler is the behavior that does what the channel's receiver does, by as many calls.
type handler func(message)

func (h handler) Receive(_ context.Context, m message) error { h(m); return nil }

func toPlain(handle func(message)) (consumer, error) {
	c, end := receiver(handle)
	return consumer{send: func(_ context.Context, m message) error { c <- m; return nil }, end: end}, nil
}

func toCtx(handle func(message)) (consumer, error) {
	c, end := receiver(handle)
	return consumer{send: func(ctx context.Context, m message) error {
		select {
		case c <- m:
			return nil
		case <-ctx.Done(): // the message was not sent
			return ctx.Err()
		}
	}, end: end}, nil
}

// receiver starts the goroutine behind a channel.
func receiver(handle func(message)) (chan<- message, func() error) {
	c, done := make(chan message, mailbox), make(chan struct{})
	go func() {
		defer close(done)
		for m := range c {
			handle(m)
		}
	}()
	return c, func() error { close(c); <-done; return nil }
}

func toProto(handle func(message)) (consumer, error) {
	s, shut := protoSystem()
	pid := s.Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
		if m, ok := c.Message().(message); ok {
			handle(m)
		}
	}, proto.WithMailbox(proto.Bounded(mailbox))))
	return consumer{
		send: func(_ context.Context, m message) error { s.Root.Send(pid, m); return nil },
		end:  func() error { err := s.Root.StopFuture(pid).Wait(); shut(); return err },
	}, nil
}
