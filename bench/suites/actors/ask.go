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
	return c
}

// server is one that answers: how to ask it, and how to end it. Its answer to n is n+1.
type server struct {
	ask func(ctx context.Context, n int) (int, error)
	end func() error
}

// answered measures askers that ask n questions in all.
func answered(askers int, make1 func() (server, error)) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return harness.Loop(func(ctx context.Context, n int) error {
		s, err := make1()
		if err != nil {
			return err
		}
		errs := make([]error, askers)
		var wg sync.WaitGroup
		for a := range askers {
			wg.Go(func() {
				for i := range (n + askers - 1) / askers {
					got, err := s.ask(ctx, i)
					if err == nil && got != i+1 {
						err = fmt.Errorf("asked %d, answered %d", i, got)
					}
					if err != nil {
						errs[a] = err
						return
					}
				}
			})
		}
		wg.Wait()
		return errors.Join(errors.Join(errs...), s.end())
	})
}

func askActor() (server, error) {
	s, shut := system()
	ref, err := actor.Spawn(s, "server", func(*actor.Self[asked]) (actor.Behavior[asked], error) {
		return actor.BehaviorFunc[asked](func(_ context.Context, q asked) error {
			q.reply.Send(q.seq + 1)
			return nil
		}), nil
	}, actor.WithMailbox(mailbox))
	return server{end: shut, ask: func(ctx context.Context, n int) (int, error) {
		return actor.Ask(ctx, ref, func(r actor.Reply[int]) asked { return asked{n, r} })
	}}, err
}

func askPlain() (server, error) {
	c, end := answerer()
	return server{end: end, ask: func(_ context.Context, n int) (int, error) {
		q := question{n, make(chan int, 1)}
		c <- q
		return <-q.reply, nil
	}}, nil
}

func askCtx() (server, error) {
	c, end := answerer()
	return server{end: end, ask: func(ctx context.Context, n int) (int, error) {
		q := question{n, make(chan int, 1)}
		select {
		case c <- q:
		case <-ctx.Done(): // not asked
			return 0, ctx.Err()
		}
		select {
		case got := <-q.reply:
			return got, nil
		case <-ctx.Done(): // an answer that comes now is dropped with the channel
			return 0, ctx.Err()
		}
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
		ask: func(_ context.Context, n int) (int, error) {
			got, err := s.Root.RequestFuture(pid, n, 10*time.Second).Result()
			if err != nil {
				return 0, err
			}
			return got.(int), nil
		},
		end: func() error { err := s.Root.StopFuture(pid).Wait(); shut(); return err },
	}, nil
}
