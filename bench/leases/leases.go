// Package leases makes claims of a manager fit the harness's workloads.
package leases

import (
	"context"
	"fmt"
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

// Many acquires n locks, whose names begin with prefix.
func Many(ctx context.Context, m *manager.Manager, prefix string, n int) ([]*manager.Lease, error) {
	held := make([]*manager.Lease, n)
	for i := range held {
		l, err := m.Lock(fmt.Sprintf("%s-%d", prefix, i)).Acquire(ctx)
		if err != nil {
			return nil, err
		}
		held[i] = l
	}
	return held, nil
}

// Lost counts the leases that have ended.
func Lost(held []*manager.Lease) float64 {
	lost := 0.0
	for _, l := range held {
		if l.Err() != nil {
			lost++
		}
	}
	return lost
}

// Bare does what Loop does on the backend itself, without a manager: what the store alone costs. Like a
// keeper it uses the same operation over and over, and runs the work.
func Bare(ctx context.Context, b backends.Backend, name string, n int) error {
	r := backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1, TTL: 10 * time.Second,
	}
	answers := make(chan error, 1)
	gs := make([]backends.Grant, 1)
	acquire := &backends.Op{Acquire: []backends.Request{r}, Wait: true, Granted: func(_ int, g backends.Grant, err error) {
		gs[0] = g
		answers <- err
	}}
	release := &backends.Op{Release: gs, Released: func(_ int, err error) { answers <- err }}
	for range n {
		for _, op := range []*backends.Op{acquire, release} {
			if work := b.Start(op); work != nil {
				work(ctx)
			}
			if err := <-answers; err != nil {
				return err
			}
		}
	}
	return nil
}

// Shut closes a manager within a minute.
func Shut(m *manager.Manager) error { return harness.Within(time.Minute, m.Close) }
