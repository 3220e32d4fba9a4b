package hold

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/manager"
)

func wantFree(t *testing.T, c manager.Claim) {
	t.Helper()
	l, err := c.TryAcquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func TestFunctionsRunUnderALeaseThatTheirContextKnows(t *testing.T) {
	m := managertest.Memory(t)
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), key{}, 1), time.Hour)
	defer cancel()
	want := errors.New("done")
	for _, h := range []How{{}, {Wait: time.Hour}, {Wait: Forever}} {
		ran, err := h.Do(ctx, m.Lock("a"), func(in context.Context) error {
			if l := manager.LeaseFrom(in); l == nil || !l.Valid() || in.Err() != nil || in.Value(key{}) != 1 {
				t.Errorf("lease %v, %v", l, in.Err())
			}
			end, ok := in.Deadline()
			if outer, _ := ctx.Deadline(); !ok || !end.Equal(outer) {
				t.Errorf("deadline %v, %v", end, ok)
			}
			if _, err := m.Lock("a").TryAcquire(ctx); !errors.Is(err, manager.ErrBusy) {
				t.Error(err)
			}
			return want
		})
		if !ran || err != want {
			t.Errorf("%v, %v", ran, err)
		}
		wantFree(t, m.Lock("a"))
	}
}

func TestBusyIsToldAtOnceOrAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managertest.Memory(t)
		l, err := m.Lock("a").Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, wait := range []time.Duration{0, time.Minute} {
			start := time.Now()
			ran, err := How{Wait: wait}.Do(t.Context(), m.Lock("a"), nil)
			if ran || !errors.Is(err, manager.ErrBusy) || time.Since(start) != wait {
				t.Errorf("%v, %v after %v", ran, err, time.Since(start))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, wait := range []time.Duration{time.Minute, Forever} {
			ran, err := How{Wait: wait}.Do(ctx, m.Lock("a"), nil)
			if ran || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, manager.ErrBusy) {
				t.Errorf("%v, %v", ran, err)
			}
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	})
}

func TestLossEndsTheContextAndIsJoined(t *testing.T) {
	m := managertest.Memory(t)
	mine := errors.New("mine")
	ran, err := How{}.Do(t.Context(), m.Lock("a"), func(ctx context.Context) error {
		if err := m.Break(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		var lost *manager.LostError
		if !errors.As(context.Cause(ctx), &lost) || lost.Reason != manager.Broken {
			t.Error(context.Cause(ctx))
		}
		return mine
	})
	if !ran || !errors.Is(err, mine) || !errors.Is(err, manager.ErrLost) {
		t.Error(err)
	}
}

func TestTheCallersEndEndsTheContext(t *testing.T) {
	m := managertest.Memory(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	ran, err := How{}.Do(ctx, m.Lock("a"), func(ctx context.Context) error {
		cancel(why)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if !ran || err != why {
		t.Error(err)
	}
}

func TestAPanicReleases(t *testing.T) {
	m := managertest.Memory(t)
	func() {
		defer func() {
			if recover() != "oh" {
				t.Error("no panic")
			}
		}()
		_, _ = How{}.Do(t.Context(), m.Lock("a"), func(context.Context) error { panic("oh") })
	}()
	wantFree(t, m.Lock("a"))
}

func TestTheLimitOfALeaseIsALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managertest.Memory(t)
		how := How{Options: []manager.AcquireOption{manager.HoldAtMost(time.Second)}}
		_, err := how.Do(t.Context(), m.Lock("a"), func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, manager.ErrLost) {
			t.Error(err)
		}
	})
}
