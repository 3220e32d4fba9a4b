package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/bench/harness"

	proto "github.com/asynkron/protoactor-go/actor"
)

// ask is requests to one server, each answered before its asker asks again.
func ask(askers int) harness.Case {
	c := harness.Case{
		Name:   fmt.Sprintf("Ask, %d askers", askers),
		Models: "a question to the owner of some state, and its answer",
		Missed: "A channel with a new reply channel cannot be cancelled. The select that waits for the answer or the context locks two " +
			"channels, and a late answer must not reach the next question (docs/internals/actor.md)",
		Sides: []harness.Side{
			{Name: ours, Run: answered(askers, askActor)},
			{Name: plain, Run: answered(askers, askPlain)},
			{Name: ctxed, Run: answered(askers, askCtx)},
			{Name: peer, Run: answered(askers, askProto)},
		},
	}
	what := "Ask round trip"
	if askers > 1 {
		what = fmt.Sprintf("Ask, %d askers", askers)
	}
	c.Checks = []harness.Check{
		{What: what, Metric: "ns/op", Ours: ours, Base: []string{plain}, Bound: 1.2, NoTarget: askers > 1},
		{What: what + ", allocations", Metric: "allocs/op", Ours: ours, Bound: 0.01},
		{What: what, Metric: "ns/op", Ours: ours, Base: []string{ctxed}, NoTarget: true},
		{What: what, Metric: "ns/op", Ours: ours, Base: []string{peer}, NoTarget: true},
	}
	if askers == 1 {
		c.Checks = append(c.Checks, harness.Check{
			What: what, Metric: "least ns/op", Ours: ours, Base: []string{plain},
			Bound: 1.2, Minimum: true,
		})
	}
	return c
}

// server answers n with n+1: a loop that asks it n times, and what ends it. The loops are written
// out for each side, as for [consumer].
type server struct {
	ask func(ctx context.Context, n int) error
	end func() error
}

// answered measures askers that ask n questions in all.
func answered(askers int, open func() (server, error)) run {
	return harness.Loop(func(ctx context.Context, n int) error {
		s, err := open()
		if err != nil {
			return err
		}
		errs := make([]error, askers)
		var wg sync.WaitGroup
		for a := range askers {
			wg.Go(func() { errs[a] = s.ask(ctx, (n+askers-1)/askers) })
		}
		wg.Wait()
		return errors.Join(errors.Join(errs...), s.end())
	})
}

// wrong is the error of an answer that is not the right one.
func wrong(asked, got int) error { return fmt.Errorf("asked %d, answered %d", asked, got) }

func askActor() (server, error) {
	s, shut := system()
	ref, err := actor.Spawn(s, "server", func(*actor.Self[asked]) (actor.Behavior[asked], error) {
		return actor.BehaviorFunc[asked](func(_ context.Context, q asked) error {
			q.reply.Send(q.seq + 1)
			return nil
		}), nil
	}, actor.WithMailbox(mailbox))
	return server{end: shut, ask: func(ctx context.Context, n int) error {
		for i := range n {
			got, err := actor.Ask(ctx, ref, func(r actor.Reply[int]) asked { return asked{i, r} })
			if err != nil {
				return err
			}
			if got != i+1 {
				return wrong(i, got)
			}
		}
		return nil
	}}, err
}

func askPlain() (server, error) {
	c, end := answerer()
	return server{end: end, ask: func(_ context.Context, n int) error {
		for i := range n {
			q := question{i, make(chan int, 1)}
			c <- q
			if got := <-q.reply; got != i+1 {
				return wrong(i, got)
			}
		}
		return nil
	}}, nil
}

func askCtx() (server, error) {
	c, end := answerer()
	return server{end: end, ask: func(ctx context.Context, n int) error {
		for i := range n {
			q := question{i, make(chan int, 1)}
			select {
			case c <- q:
			case <-ctx.Done(): // not asked
				return ctx.Err()
			}
			select {
			case got := <-q.reply:
				if got != i+1 {
					return wrong(i, got)
				}
			case <-ctx.Done(): // an answer that comes now is dropped with the channel
				return ctx.Err()
			}
		}
		return nil
	}}, nil
}

// answerer starts the goroutine behind a channel of questions.
func answerer() (chan<- question, func() error) {
	c, done := make(chan question, mailbox), make(chan struct{})
	go func() {
		defer close(done)
		for q := range c {
			q.reply <- q.seq + 1
		}
	}()
	return c, func() error { close(c); <-done; return nil }
}

func askProto() (server, error) {
	s, shut := protoSystem()
	pid := s.Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
		if n, ok := c.Message().(int); ok {
			c.Respond(n + 1)
		}
	}, proto.WithMailbox(proto.Bounded(mailbox))))
	return server{
		ask: func(_ context.Context, n int) error {
			for i := range n {
				got, err := s.Root.RequestFuture(pid, i, 10*time.Second).Result()
				if err != nil {
					return err
				}
				if got != i+1 {
					return wrong(i, got.(int))
				}
			}
			return nil
		},
		end: func() error { err := s.Root.StopFuture(pid).Wait(); shut(); return err },
	}, nil
}
