package migrating

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"
	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/redisd"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/open"
	"github.com/lockkeeper/lockkeeper/primitives"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestBothWaysExclude(t *testing.T) {
	server, err := redisd.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, server.Close()) })
	client := clients.Dial(server.Addr)
	t.Cleanup(func() { check(t, client.Close()) })
	locker, err := rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption: rueidis.ClientOption{InitAddress: []string{server.Addr}}, KeyMajority: 1, NoLoopTracking: true,
	})
	check(t, err)
	t.Cleanup(locker.Close)
	onRedis := managerOver(t, "redis://"+server.Addr)
	dir := t.TempDir()
	inFiles := managerOver(t, filepath.Join(dir, "locks"))
	ignore := func(work func() error) func(context.Context) error {
		return func(context.Context) error { return work() }
	}

	redsyncs, redislocks := redsync.New(goredis.NewPool(client)), redislock.New(client)
	weighted, semaphore := semaphore.NewWeighted(1), primitives.NewSemaphore(1)
	for name, do := range map[string]func(context.Context, func() error) error{
		"redsync/before":     func(ctx context.Context, w func() error) error { return redsyncBefore(ctx, redsyncs, ignore(w)) },
		"redsync/after":      func(ctx context.Context, w func() error) error { return redsyncAfter(ctx, onRedis, ignore(w)) },
		"redislock/before":   func(ctx context.Context, w func() error) error { return redislockBefore(ctx, redislocks, w) },
		"redislock/after":    func(ctx context.Context, w func() error) error { return redislockAfter(ctx, onRedis, w) },
		"rueidislock/before": func(ctx context.Context, w func() error) error { return rueidislockBefore(ctx, locker, ignore(w)) },
		"rueidislock/after":  func(ctx context.Context, w func() error) error { return rueidislockAfter(ctx, onRedis, ignore(w)) },
		"flock/before":       func(ctx context.Context, w func() error) error { return flockBefore(ctx, dir, w) },
		"flock/after":        func(ctx context.Context, w func() error) error { return flockAfter(ctx, inFiles, w) },
		"weighted/before":    func(ctx context.Context, w func() error) error { return weightedBefore(ctx, weighted, w) },
		"weighted/after":     func(ctx context.Context, w func() error) error { return weightedAfter(ctx, semaphore, w) },
	} {
		t.Run(name, func(t *testing.T) {
			var inside, runs atomic.Int32
			var both sync.WaitGroup
			for range 3 {
				both.Go(func() {
					err := do(t.Context(), func() error {
						if inside.Add(1) != 1 {
							t.Error("two at a time")
						}
						runs.Add(1)
						inside.Add(-1)
						return nil
					})
					check(t, err)
				})
			}
			both.Wait()
			if runs.Load() != 3 {
				t.Errorf("%d of 3 ran", runs.Load())
			}
		})
	}
}

func managerOver(t *testing.T, store string) *manager.Manager {
	t.Helper()
	b, err := open.Store(t.Context(), store)
	check(t, err)
	m, err := manager.New(b)
	check(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		check(t, m.Close(ctx))
	})
	return m
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
