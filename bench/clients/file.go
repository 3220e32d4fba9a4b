package clients

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

// retry is how often gofrs/flock looks whether a lock has become free. It has no other way to learn of it.
const retry = time.Millisecond

// Manager returns a manager over the store of the lock, which is ours, and what closes both.
func Manager(s Spec) (*manager.Manager, func() error, error) {
	switch s.Library {
	case Redis:
		return OverRedis(s, Dial(s.Store))
	case Postgres:
		return OverPostgres(s)
	}
	b, err := file.New(s.Store)
	if err != nil {
		return nil, nil, err
	}
	m, err := manager.New(b, s.options()...)
	if err != nil {
		return nil, nil, err
	}
	return m, func() error { return leases.Shut(m) }, nil
}

func openOurs(s Spec) (Client, error) {
	m, shut, err := Manager(s)
	if err != nil {
		return Client{}, err
	}
	return Client{Handle: func() harness.Guard { return leases.Handle(m, s.Name) }, Close: shut}, nil
}

// options are the manager's.
func (s Spec) options() []manager.Option {
	opts := []manager.Option{manager.WithTTL(s.ttl()), manager.WithIdleHold(s.IdleHold)}
	if s.Strict {
		opts = append(opts, manager.WithLocalHandoffs(0, 0))
	}
	return opts
}

func (s Spec) ttl() time.Duration {
	d, err := time.ParseDuration(s.TTL)
	if err != nil {
		return 10 * time.Second
	}
	return d
}

// openFlock gives every goroutine an object, and so a descriptor, of its own: two users of one object share its lock.
func openFlock(s Spec) (Client, error) {
	path := filepath.Join(s.Store, s.Name+".flock")
	if err := os.MkdirAll(s.Store, 0o700); err != nil {
		return Client{}, err
	}
	return Client{
		Handle: func() harness.Guard {
			f := flock.New(path)
			return harness.Guard{
				Acquire: func(ctx context.Context) error {
					_, err := f.TryLockContext(ctx, retry)
					return err
				},
				Release: f.Unlock,
			}
		},
		Close: func() error { return nil },
	}, nil
}
