package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A name that a process keeps after its use goes to another process that waits for it or tries again,
// long before its time is over. Without a listener, the keeper hears of one that waits by a heartbeat.
func TestKeptNameGoesToAnotherProcess(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	for what, opts := range map[string][]postgres.Option{"by a message": nil, "by heartbeats": {postgres.WithoutListener()}} {
		t.Run(what, func(t *testing.T) {
			open := func() *manager.Manager {
				const ttl, kept = 20 * time.Minute, 10 * time.Minute // longer than any test waits
				m, err := manager.New(b.through(t, b.server.Addr, opts...), manager.WithTTL(ttl), manager.WithIdleHold(kept))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = m.Close(b.ctx) })
				return m
			}
			keeper, other := open().Lock(what), open().Lock(what)
			use := func(acquire func() (*manager.Lease, error)) {
				l, err := acquire()
				for errors.Is(err, manager.ErrBusy) {
					l, err = acquire()
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
			use(func() (*manager.Lease, error) { return keeper.Acquire(b.ctx) })
			if _, err := other.TryAcquire(b.ctx); !errors.Is(err, manager.ErrBusy) {
				t.Errorf("a try of a kept name: %v; want ErrBusy", err)
			}
			use(func() (*manager.Lease, error) { return other.Acquire(b.ctx) })
			if len(opts) == 0 { // else no keeper hears of tries
				use(func() (*manager.Lease, error) { return keeper.TryAcquire(b.ctx) })
			}
		})
	}
}
