package holders

import (
	"context"
	"math"
	"time"

	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	goredis9 "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/bench/clients"
)

type redsyncLocker struct {
	client *goredis9.Client
	rs     *redsync.Redsync
	spec   Spec
}

func openRedsync(s Spec) (Locker, error) {
	c := clients.Dial(s.Store)
	return redsyncLocker{c, redsync.New(goredis.NewPool(c)), s}, nil
}

func (r redsyncLocker) Acquire(ctx context.Context) (Lease, error) {
	m := r.rs.NewMutex(r.spec.Name, redsync.WithExpiry(r.spec.TTL), redsync.WithTries(math.MaxInt32))
	if err := m.LockContext(ctx); err != nil {
		return nil, err
	}
	l := &redsyncLease{m: m}
	l.renewed(m.Until())
	l.renewer = renew(r.spec.renewal(), func(ctx context.Context) error {
		ok, err := m.ExtendContext(ctx)
		if err == nil && !ok {
			err = redsync.ErrExtendFailed
		}
		if err == nil {
			l.renewed(m.Until())
		}
		return err
	})
	return l, nil
}

func (r redsyncLocker) Close() error { return r.client.Close() }

// redsyncLease is valid until what [redsync.Mutex.Until] said at the last renewal.
type redsyncLease struct {
	m *redsync.Mutex
	*renewer
	until deadline
}

func (l *redsyncLease) renewed(until time.Time) { l.until.Store(&until) }

func (l *redsyncLease) Valid() bool {
	return l.renewer.Valid() && time.Now().Before(*l.until.Load())
}

func (l *redsyncLease) Release() error {
	l.stop()
	_, err := l.m.Unlock()
	return err
}
