// Package leases makes claims of a manager fit the harness's workloads.
package leases

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Handle returns a guard for one goroutine: the lock of that name.
func Handle(m *manager.Manager, name string) harness.Guard {
	var held *manager.Lease
	return harness.Guard{
		Acquire: func(ctx context.Context) (err error) {
			held, err = m.Lock(name).Acquire(ctx)
			return err
		},
		Release: func() error { return held.Release() },
	}
}

// Loop acquires and releases n times, one after the other.
func Loop(ctx context.Context, m *manager.Manager, name string, n int) error {
	for range n {
		l, err := m.Lock(name).Acquire(ctx)
		if err != nil {
			return err
		}
		if err := l.Release(); err != nil {
			return err
		}
	}
	return nil
}

// Bare does the same on the backend itself, without a manager: what the store alone costs.
func Bare(ctx context.Context, b backends.Backend, name string, n int) error {
	r := backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1, TTL: 10 * time.Second,
	}
	for range n {
		g, err := b.Acquire(ctx, r)
		if err != nil {
			return err
		}
		if err := b.Release(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// Shut closes a manager within a minute.
func Shut(m *manager.Manager) error { return harness.Within(time.Minute, m.Close) }
