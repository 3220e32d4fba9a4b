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
		Missed: "A channel with the looks at context and state takes all but 3 ns of it. Without them a message is accepted whose " +
			"context or actor has ended (docs/internals/actor.md)",
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
	if producers == 1 {
		c.Checks = append(c.Checks, harness.Check{
			What: what, Metric: "least ns/op", Ours: ours, Base: []string{plain},
			Bound: bound, Minimum: true,
		})
	}
	return c
}

// counter takes messages, the last of which ends the measurement.
type counter struct{ seen, want int }

func (c *counter) take(m message) {
	if c.seen += m.bytes; c.seen == c.want {
		close(m.last)
	}
}

// Receive makes an actor of a counter.
func (c *counter) Receive(_ context.Context, m message) error { c.take(m); return nil }

// consumer is a counter behind a channel or in an actor: a loop that sends n messages to it, and
// what ends it. The loops are written out for each side, so that no call through a function value
// is measured.
type consumer struct {
	send func(ctx context.Context, n int, last chan<- struct{}) error
	end  func() error
}

// told measures producers that send n messages in all to a consumer that counts them.
func told(producers int, to func(*counter) (consumer, error)) run {
	return harness.Loop(func(ctx context.Context, n int) error {
		each := (n + producers - 1) / producers
		c, err := to(&counter{want: each * producers})
		if err != nil {
			return err
		}
		last := make(chan struct{})
		errs := make([]error, producers)
		var wg sync.WaitGroup
		for p := range producers {
			wg.Go(func() { errs[p] = c.send(ctx, each, last) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		<-last
		return c.end()
	})
}

func toActor(k *counter) (consumer, error) {
	s, shut := system()
	start := func(*actor.Self[message]) (actor.Behavior[message], error) { return k, nil }
	ref, err := actor.Spawn(s, "consumer", start, actor.WithMailbox(mailbox))
	return consumer{end: shut, send: func(ctx context.Context, n int, last chan<- struct{}) error {
		for i := range n {
			if err := ref.Tell(ctx, message{seq: i, bytes: 1, last: last}); err != nil {
				return err
			}
		}
		return nil
	}}, err
}

func toPlain(k *counter) (consumer, error) {
	c, end := receiver(k)
	return consumer{end: end, send: func(_ context.Context, n int, last chan<- struct{}) error {
		for i := range n {
			c <- message{seq: i, bytes: 1, last: last}
		}
		return nil
	}}, nil
}

func toCtx(k *counter) (consumer, error) {
	c, end := receiver(k)
	return consumer{end: end, send: func(ctx context.Context, n int, last chan<- struct{}) error {
		for i := range n {
			select {
			case c <- message{seq: i, bytes: 1, last: last}:
			case <-ctx.Done(): // the message was not sent
				return ctx.Err()
			}
		}
		return nil
	}}, nil
}

// receiver starts the goroutine behind a channel.
func receiver(k *counter) (chan<- message, func() error) {
	c, done := make(chan message, mailbox), make(chan struct{})
	go func() {
		defer close(done)
		for m := range c {
			k.take(m)
		}
	}()
	return c, func() error { close(c); <-done; return nil }
}

func toProto(k *counter) (consumer, error) {
	s, shut := protoSystem()
	pid := s.Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
		if m, ok := c.Message().(message); ok {
			k.take(m)
		}
	}, proto.WithMailbox(proto.Bounded(mailbox))))
	return consumer{
		send: func(_ context.Context, n int, last chan<- struct{}) error {
			for i := range n {
				s.Root.Send(pid, message{seq: i, bytes: 1, last: last})
			}
			return nil
		},
		end: func() error { err := s.Root.StopFuture(pid).Wait(); shut(); return err },
	}, nil
}
