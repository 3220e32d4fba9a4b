package clients

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
)

// partQueue is the part of [queue].
const partQueue = "queue"

// queue has holders queue for names. It says when all wait and when all have had their turn.
func queue(ctx context.Context, p *harness.Pipe) error {
	var t task
	if err := p.Receive(ctx, &t); err != nil {
		return err
	}
	m, shut, err := Manager(t.Spec)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	if err = leases.Queue(ctx, g, m, t.Name); err == nil {
		err = p.Send("queued")
	}
	if err := errors.Join(err, g.Wait(), shut()); err != nil {
		return err
	}
	return p.Send("done")
}

// Behind measures a wait behind queues as [leases.Behind] does. If there are two processes, another
// one has the same holders queue before those of this process.
func Behind(
	s Spec, all bool, processes int,
) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return func(ctx context.Context, _ harness.Budget) (_ harness.Metrics, err error) {
		m, shut, err := Manager(s)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, shut()) }()
		var other Herds
		defer func() { other.Kill() }() // harmless once it has ended by itself
		figures, err := leases.Behind(ctx, m, s.Name, all, func() (err error) {
			if processes == 1 {
				return nil
			}
			if other, err = startHerds(partQueue, task{Spec: s}, 1); err != nil {
				return err
			}
			return leases.Queued(ctx, m, s.Name)
		})
		if err != nil {
			return nil, err
		}
		return figures, errors.Join(other.Wait(), other.Close())
	}
}
