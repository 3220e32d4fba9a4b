package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A caller that does its own I/O sits in a read that only the end of the connection can end: without that it would return
// when the read times out.
func TestCancelEndsTheCallersOwnRead(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	a := b.open()
	b.release(a, b.acquire(a, mutex("n", time.Minute))) // the connection is open
	b.server.Stop(t)
	ctx, cancel := context.WithCancel(b.ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	begin := time.Now()
	if _, err := backends.Acquire(ctx, a, mutex("n", time.Minute)); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire from a frozen server, cancelled: %v", err)
	}
	if d := time.Since(begin); d >= redis.ReadTimeout {
		t.Errorf("it returned after %v, when its read had timed out", d)
	}
	b.server.Cont(t)
	b.release(a, b.acquire(a, mutex("n", time.Minute))) // nothing was left of it, and another connection serves
}

func TestManyCallersShareTheLaneAndThePool(t *testing.T) {
	b := newBed(t, server.Get(t))
	a := b.open()
	done := make(chan error)
	const callers, each = 8, 50
	for i := range callers {
		go func() {
			for range each {
				ctx, cancel := context.WithCancel(b.ctx)
				g, err := backends.Acquire(ctx, a, mutex(string(rune('a'+i)), time.Minute))
				go cancel() // its end meets the end of the call, or the next one's beginning
				if err == nil {
					err = backends.Release(b.ctx, a, g)
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
