package holders

import (
	"context"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/manager"
)

// ours is a manager with nothing but a time to live chosen.
type ours struct {
	m    *manager.Manager
	name string
	shut func() error
}

func openOurs(s Spec) (Locker, error) {
	m, shut, err := Manager(s)
	if err != nil {
		return nil, err
	}
	return ours{m, s.Name, shut}, nil
}

// Manager returns the manager of a lock of ours, and what closes it.
func Manager(s Spec) (*manager.Manager, func() error, error) { return clients.Manager(s.clients()) }

func (o ours) Acquire(ctx context.Context) (Lease, error) {
	l, err := o.m.Lock(o.name).Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (o ours) Close() error { return o.shut() }
