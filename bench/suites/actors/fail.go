package actors

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/bench/harness"

	proto "github.com/asynkron/protoactor-go/actor"
)

// patience is how long the peer's asker waits: it has to name a time.
const patience = 200 * time.Millisecond

// unanswered is how soon an asker learns that there will be no answer.
func unanswered() harness.Case {
	return harness.Case{
		Name:   "Ask that is never answered",
		Models: "a defect in a handler, or a shutdown with requests under way: do callers hang?",
		Sides: []harness.Side{
			{Name: ours, Run: panicked},
			{Name: ours + ", stopped", Run: stopped},
			{Name: peer, Run: protoPanicked},
		},
		Checks: []harness.Check{
			{What: "ask whose handler panics: resolved, ms", Metric: "ms", Ours: ours, Bound: 1},
			{What: "ask queued at Stop: resolved, ms", Metric: "ms", Ours: ours + ", stopped", Bound: 1},
			{What: "ask whose handler panics", Metric: "ms", Ours: ours, Base: []string{peer}, NoTarget: true},
		},
	}
}

func panicked(ctx context.Context, _ harness.Budget) (_ harness.Metrics, err error) {
	s, shut := system()
	defer func() { err = errors.Join(err, shut()) }()
	ref, err := actor.Spawn(s, "panics", func(*actor.Self[asked]) (actor.Behavior[asked], error) {
		return actor.BehaviorFunc[asked](func(context.Context, asked) error { panic("on purpose") }), nil
	})
	if err != nil {
		return nil, err
	}
	start := time.Now()
	_, err = actor.Ask(ctx, ref, func(r actor.Reply[int]) asked { return asked{1, r} })
	took := time.Since(start)
	var p *actor.PanicError
	if !errors.As(err, &p) {
		return nil, errors.Join(errors.New("the panic was not reported"), err)
	}
	return harness.Metrics{"ms": took.Seconds() * 1e3}, nil
}

// stopped asks an actor that is busy, then stops it; the time is from the Stop to the failure of the queued ask.
func stopped(ctx context.Context, _ harness.Budget) (_ harness.Metrics, err error) {
	s, shut := system()
	defer func() { err = errors.Join(err, shut()) }()
	busy := make(chan struct{})
	ref, err := actor.Spawn(s, "busy", func(*actor.Self[asked]) (actor.Behavior[asked], error) {
		return actor.BehaviorFunc[asked](func(ctx context.Context, q asked) error {
			busy <- struct{}{}
			<-ctx.Done() // Stop ends a handler's context
			q.reply.Send(0)
			return nil
		}), nil
	})
	if err != nil {
		return nil, err
	}
	ended := make(chan time.Time, 2)
	var errs [2]error
	for i := range errs {
		go func() {
			_, errs[i] = actor.Ask(ctx, ref, func(r actor.Reply[int]) asked { return asked{1, r} })
			ended <- time.Now()
		}()
	}
	<-busy // one is being handled, the other is queued or about to be
	start := time.Now()
	ref.Stop()
	<-ended
	took := (<-ended).Sub(start)
	if !errors.Is(errors.Join(errs[:]...), actor.ErrStopped) {
		return nil, errors.Join(errors.New("the queued ask was not told of the stop"), errs[0], errs[1])
	}
	return harness.Metrics{"ms": took.Seconds() * 1e3}, nil
}

func protoPanicked(context.Context, harness.Budget) (harness.Metrics, error) {
	s, shut := protoSystem()
	defer shut()
	pid := s.Root.Spawn(proto.PropsFromFunc(func(c proto.Context) {
		if _, ok := c.Message().(int); ok {
			panic("on purpose")
		}
	}))
	start := time.Now()
	_, err := s.Root.RequestFuture(pid, 1, patience).Result()
	took := time.Since(start)
	if err == nil {
		return nil, errors.New("an answer from a handler that panics")
	}
	return harness.Metrics{"ms": took.Seconds() * 1e3}, s.Root.StopFuture(pid).Wait()
}
