package memory_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func busy(t testing.TB, b backends.Backend, r backends.Request) {
	t.Helper()
	if g, err := b.TryAcquire(t.Context(), r); !errors.Is(err, backends.ErrBusy) {
		t.Fatalf("TryAcquire = %+v, %v; want ErrBusy", g, err)
	}
}

func TestErrorsSayTheNameAndTheCause(t *testing.T) {
	b := memory.New()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user left")
	cancel(why)
	_, err := b.Acquire(ctx, mutex("db"))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !strings.Contains(err.Error(), `"db"`) {
		t.Errorf("Acquire with a cancelled context: %v", err)
	}
	try(t, b, mutex("db"))
	if _, err := b.TryAcquire(t.Context(), mutex("db")); err == nil || err.Error() != `memory: try to acquire "db": busy` {
		t.Errorf("TryAcquire: %v", err)
	}
}

func TestDeadlineEndsTheWaitOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		g := try(t, b, mutex("db"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		_, err := b.Acquire(ctx, mutex("db"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("Acquire returned %v after %v", err, time.Since(start))
		}
		release(t, b, g)
		release(t, b, try(t, b, mutex("db")))
	})
}

// The grant and the end of the context come at the same instant, by the same clock.
func TestDeadlineAtTheInstantOfTheRelease(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			b := memory.New()
			held := try(t, b, mutex("db"))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			var all sync.WaitGroup
			all.Go(func() {
				if g, err := b.Acquire(ctx, mutex("db")); err == nil {
					release(t, b, g)
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Acquire: %v", err)
				}
			})
			all.Go(func() {
				<-time.After(time.Second)
				release(t, b, held)
			})
			all.Wait()
			release(t, b, try(t, b, mutex("db")))
		})
	}
}

func TestCancelledAcquiresLeaveNothing(t *testing.T) {
	const n = 100_000
	b, other := memory.New(), 0
	g := try(t, b, mutex("db"))
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	for range n {
		all.Go(func() {
			if _, err := b.Acquire(ctx, mutex("db")); !errors.Is(err, context.Canceled) {
				mu.Lock()
				other++
				mu.Unlock()
			}
		})
	}
	cancel()
	all.Wait()
	if other > 0 {
		t.Errorf("%d of %d cancelled acquires did not say so", other, n)
	}
	state, err := b.Inspect(t.Context(), "db")
	if err != nil || len(state.Waiters) > 0 || len(state.Holders) != 1 {
		t.Errorf("left behind: %+v, %v", state, err)
	}
	release(t, b, g)
}
