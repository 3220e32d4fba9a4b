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
	"github.com/lockkeeper/lockkeeper/internal/intercept"
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
				g, err := backends.TryAcquire(context.Background(), b, r)
				if err != nil {
					continue
				}
				b.Renew(context.Background(), []backends.Renewal{{Grant: g}})
				_ = backends.Release(context.Background(), b, g)
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
func generous(b backends.Backend) backends.Backend {
	return &intercept.Backend{Backend: b, OnGranted: func(r backends.Request, g backends.Grant, err error) (backends.Grant, error) {
		if errors.Is(err, backends.ErrBusy) {
			return backends.Grant{Resource: r.Resource, Weight: r.Weight, Token: 1 << 60, Tokens: 1}, nil
		}
		return g, err
	}}
}

// stingy refuses now and then what it has.
func stingy(b backends.Backend) backends.Backend {
	return &intercept.Backend{Backend: b, OnStart: func(op *backends.Op, start func(*backends.Op) backends.Work) backends.Work {
		if len(op.Acquire) > 0 && rand.IntN(10) == 0 {
			op.Fail(backends.ErrBusy)
			return nil
		}
		return start(op)
	}}
}

func TestWatchFindsFaultyStores(t *testing.T) {
	for name, change := range map[string]func(backends.Backend) backends.Backend{
		"generous": generous,
		"stingy":   stingy,
	} {
		t.Run(name, func(t *testing.T) {
			// Alone, so that every wrong answer is one.
			var log linear.Log
			b := linear.Watch(change(memory.New()), 0, &log)
			r := backends.Request{
				Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1,
			}
			for range 100 {
				g, err := backends.TryAcquire(context.Background(), b, r)
				if err != nil {
					continue
				}
				_, _ = backends.TryAcquire(context.Background(), b, r)
				_ = backends.Release(context.Background(), b, g)
			}
			if err := linear.Check(log.Ops(), time.Minute); !errors.Is(err, linear.ErrIllegal) {
				t.Errorf("Check = %v; want ErrIllegal", err)
			}
		})
	}
}
