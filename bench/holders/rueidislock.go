package holders

import (
	"context"

	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"
)

type rueidisLocker struct {
	locker rueidislock.Locker
	name   string
}

// openRueidisLock has one attempt take longer than the 20 ms of the default. An attempt that takes too long on a busy
// machine leaves a waiter that nothing wakes, even if the lock is free.
func openRueidisLock(s Spec) (Locker, error) {
	l, err := rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption:   rueidis.ClientOption{InitAddress: []string{s.Store}},
		KeyMajority:    1,
		NoLoopTracking: true,
		KeyValidity:    s.TTL,
		TryNextAfter:   s.TTL / 4,
	})
	return rueidisLocker{l, s.Name}, err
}

// Acquire does not pass ctx on to the lock, whose own context would end with it.
func (r rueidisLocker) Acquire(ctx context.Context) (Lease, error) {
	own, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, cancel)
	held, release, err := r.locker.WithContext(own, r.name)
	if err != nil {
		cancel()
		return nil, err
	}
	l := &rueidisLease{held, func() { release(); cancel() }}
	if !stop() { // granted, and given up at the same time
		return nil, l.giveUp(ctx)
	}
	return l, nil
}

func (r rueidisLocker) Close() error { r.locker.Close(); return nil }

type rueidisLease struct {
	ctx     context.Context
	release func()
}

func (l *rueidisLease) giveUp(ctx context.Context) error {
	l.release()
	return ctx.Err()
}

func (l *rueidisLease) Valid() bool    { return l.ctx.Err() == nil }
func (l *rueidisLease) Token() uint64  { return 0 }
func (l *rueidisLease) Release() error { l.release(); return nil }
