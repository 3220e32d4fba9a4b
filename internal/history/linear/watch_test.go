package linear_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/history/linear"
)

// play has several clients use one semaphore, without a wait, and returns what was seen.
func play(change func(backends.Backend) backends.Backend) []linear.Op {
	var log linear.Log
	var all sync.WaitGroup
	store := memory.New()
	for c := range 4 {
		b := linear.Watch(change(store.Peer()), c, &log)
		all.Go(func() {
			for range 200 {
				r := backends.Request{
					Resource: backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3},
					Weight:   1 + rand.Int64N(3), Tokens: 1,
				}
				g, err := b.TryAcquire(context.Background(), r)
				if err != nil {
					continue
				}
				b.Renew(context.Background(), []backends.Renewal{{Grant: g}})
				_ = b.Release(context.Background(), g)
			}
		})
	}
	all.Wait()
	return log.Ops()
}

func TestWatchedStoreIsLinearizable(t *testing.T) {
	ops := play(func(b backends.Backend) backends.Backend { return b })
	if err := linear.Check(ops, time.Minute); err != nil {
		t.Errorf("%d calls: %v", len(ops), err)
	}
}

// generous grants now and then what it does not have.
type generous struct{ backends.Backend }

func (b generous) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	g, err := b.Backend.TryAcquire(ctx, r)
	if errors.Is(err, backends.ErrBusy) {
		return backends.Grant{Resource: r.Resource, Weight: r.Weight, Token: 1 << 60, Tokens: 1}, nil
	}
	return g, err
}

// stingy refuses now and then what it has.
type stingy struct{ backends.Backend }

func (b stingy) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	if rand.IntN(10) == 0 && r.Weight == 1 {
		return backends.Grant{}, backends.ErrBusy
	}
	return b.Backend.TryAcquire(ctx, r)
}

func TestWatchFindsFaultyStores(t *testing.T) {
	for name, change := range map[string]func(backends.Backend) backends.Backend{
		"generous": func(b backends.Backend) backends.Backend { return generous{b} },
		"stingy":   func(b backends.Backend) backends.Backend { return stingy{b} },
	} {
		t.Run(name, func(t *testing.T) {
			// Alone, so that every wrong answer is one.
			var log linear.Log
			b := linear.Watch(change(memory.New()), 0, &log)
			r := backends.Request{
				Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1,
			}
			for range 100 {
				g, err := b.TryAcquire(context.Background(), r)
				if err != nil {
					continue
				}
				_, _ = b.TryAcquire(context.Background(), r)
				_ = b.Release(context.Background(), g)
			}
			if err := linear.Check(log.Ops(), time.Minute); !errors.Is(err, linear.ErrIllegal) {
				t.Errorf("Check = %v; want ErrIllegal", err)
			}
		})
	}
}
