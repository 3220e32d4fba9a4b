package servers

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/bench/proxy"
	"github.com/lockkeeper/lockkeeper/manager"
)

// shortTTL is the time to live in the cases that wait for it to pass.
const shortTTL = time.Second

// killed is a holder that dies.
func (e *env) killed() harness.Case {
	c := harness.Case{
		Name:   "kill -9 of the holder",
		Models: "a crash with the lock held: how long after the time to live does the next holder have it?",
		Rounds: 1,
		Sides:  []harness.Side{{Name: ours, Run: e.crashes(ours)}},
		Checks: []harness.Check{
			{What: "holder killed: next grant after the kill less the TTL, ms", Metric: "ms", Ours: ours, Bound: 100, Worst: true},
			{What: "holder killed, beside other libraries", Metric: "ms", Ours: ours, Base: peers, NoTarget: true},
		},
	}
	for _, p := range peers {
		c.Sides = append(c.Sides, harness.Side{Name: p, Run: e.crashes(p)})
	}
	return c
}

func (e *env) crashes(library string) run {
	return func(_ context.Context, b harness.Budget) (harness.Metrics, error) {
		worst := time.Duration(-1 << 62)
		for range b.Pick(5, 1) {
			s := e.spec(library)
			s.TTL = shortTTL.String()
			d, err := crash(s)
			if err != nil {
				return nil, err
			}
			worst = max(worst, d-shortTTL)
		}
		return harness.Metrics{"ms": worst.Seconds() * 1e3}, nil
	}
}

// crash returns the time from the kill of a holder to the next grant.
func crash(s clients.Spec) (_ time.Duration, err error) {
	holder, err := clients.StartObedient(s)
	if err != nil {
		return 0, err
	}
	defer holder.Kill()
	waiter, err := clients.StartObedient(s)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, waiter.Finish()) }()
	if err := holder.Acquire(); err != nil {
		return 0, err
	}
	if _, err := holder.Answer(); err != nil {
		return 0, err
	}
	if err := waiter.Acquire(); err != nil {
		return 0, err
	}
	time.Sleep(100 * time.Millisecond) // it queues
	at := harness.Now()
	holder.Kill()
	d, err := waiter.Answer()
	return d.At - at, err
}

// cutOff is a holder whose network goes silent: does it know that it has lost the lock before another one gets it?
func (e *env) cutOff() harness.Case {
	return harness.Case{
		Name:   "holder cut off",
		Models: "a black hole between a holder and Redis; the figure is the time from the end of its context to the next grant",
		Rounds: 1,
		Sides: []harness.Side{{Name: ours, Run: func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
			least := time.Hour
			for range b.Pick(5, 1) {
				d, err := e.blackHole(ctx)
				if err != nil {
					return nil, err
				}
				least = min(least, d)
			}
			return harness.Metrics{"ms": least.Seconds() * 1e3}, nil
		}}},
		Checks: []harness.Check{
			{What: "holder cut off: told before the next grant by, ms", Metric: "ms", Ours: ours, Direction: harness.AtLeast, Bound: 0, Worst: true},
		},
	}
}

// throughProxy returns two managers of one lock: the first reaches the server through the proxy.
func (e *env) throughProxy(s clients.Spec) (far, near *manager.Manager, p *proxy.Proxy, shut func() error, err error) {
	if p, err = proxy.New(s.Store); err != nil {
		return nil, nil, nil, nil, err
	}
	far, shutFar, err := clients.OverRedis(s, clients.Dial(p.Addr))
	if err != nil {
		return nil, nil, nil, nil, errors.Join(err, p.Close())
	}
	near, shutNear, err := clients.OverRedis(s, clients.Dial(s.Store))
	if err != nil {
		return nil, nil, nil, nil, errors.Join(err, shutFar(), p.Close())
	}
	return far, near, p, func() error {
		err := errors.Join(shutNear(), p.Close())
		_ = shutFar() // it cannot say goodbye to a server that it does not reach
		return err
	}, nil
}

func (e *env) blackHole(ctx context.Context) (_ time.Duration, err error) {
	s := e.spec(ours)
	s.TTL = shortTTL.String()
	far, near, link, shut, err := e.throughProxy(s)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shut()) }()
	held, err := far.Lock(s.Name).Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = held.Release() }() // lost, as it must be
	ended := make(chan time.Time, 1)
	stop := context.AfterFunc(held.Context(), func() { ended <- time.Now() })
	defer stop()
	link.Silence()
	next, err := near.Lock(s.Name).Acquire(ctx)
	if err != nil {
		return 0, err
	}
	granted := time.Now()
	margin := granted.Sub(<-ended)
	return margin, next.Release()
}

// deaf is a waiter whose subscription has gone silent while its other connections work: nobody can wake it.
func (e *env) deaf() harness.Case {
	return harness.Case{
		Name:   "release while the waiter's subscription is dead",
		Models: "a lost message: how long until the waiter finds out by itself?",
		Rounds: 1,
		Sides: []harness.Side{{Name: ours, Run: func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
			var worst time.Duration
			for range b.Pick(5, 1) {
				d, err := e.unheard(ctx)
				if err != nil {
					return nil, err
				}
				worst = max(worst, d)
			}
			return harness.Metrics{"ms": worst.Seconds() * 1e3}, nil
		}}},
		Checks: []harness.Check{
			{What: "release, the waiter's subscription dead: granted after, ms", Metric: "ms", Ours: ours, Bound: 1000, Worst: true},
		},
	}
}

func (e *env) unheard(ctx context.Context) (_ time.Duration, err error) {
	s := e.spec(ours)
	far, near, link, shut, err := e.throughProxy(s)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shut()) }()
	held, err := near.Lock(s.Name).Acquire(ctx)
	if err != nil {
		return 0, err
	}
	type result struct {
		at    time.Time
		lease *manager.Lease
		err   error
	}
	got := make(chan result, 1)
	go func() {
		l, err := far.Lock(s.Name).Acquire(ctx)
		got <- result{time.Now(), l, err}
	}()
	if err := leases.Waits(ctx, near, s.Name); err != nil {
		return 0, errors.Join(err, held.Release())
	}
	link.SilenceSubscriptions()
	start := time.Now()
	if err := held.Release(); err != nil {
		return 0, err
	}
	r := <-got
	if r.err != nil {
		return 0, r.err
	}
	return r.at.Sub(start), r.lease.Release()
}
