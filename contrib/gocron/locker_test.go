package lkgocron

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

func newLocker(t *testing.T, m *manager.Manager, opts ...manager.AcquireOption) *Locker {
	t.Helper()
	l, err := New(m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOneOfThreeSchedulersRunsAJob(t *testing.T) {
	s := server.Get(t)
	prefix := s.Prefix()
	began, end := make(chan uint64, 3), make(chan struct{})
	var refused [3]<-chan error
	for i := range refused {
		l := newLocker(t, managertest.Redis(t, s, prefix))
		refused[i] = schedule(t, gocron.WithDistributedLocker(l), "report", func(ctx context.Context) error {
			ctx = l.Context(ctx)
			began <- manager.LeaseFrom(ctx).Token()
			<-end
			return ctx.Err()
		})
	}
	var token uint64
	for range 3 { // one runs until the two others were refused
		select {
		case err := <-refused[0]:
			wantBusy(t, err)
		case err := <-refused[1]:
			wantBusy(t, err)
		case err := <-refused[2]:
			wantBusy(t, err)
		case token = <-began:
		}
	}
	if token == 0 || len(began) != 0 {
		t.Errorf("token %d, %d more have run", token, len(began))
	}
	close(end)
	// The lock is free after the run.
	l, err := managertest.Redis(t, s, prefix).Lock("report").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l.Token() <= token {
		t.Errorf("token %d after %d", l.Token(), token)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func wantBusy(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, manager.ErrBusy) {
		t.Errorf("want busy: %v", err)
	}
}

func TestAJobIsToldOfTheLossOfItsLock(t *testing.T) {
	m := managertest.Memory(t)
	l := newLocker(t, m)
	ended := make(chan error, 1)
	schedule(t, gocron.WithDistributedLocker(l), "report", func(ctx context.Context) error {
		ctx = l.Context(ctx)
		if err := m.Break(t.Context(), "report"); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil
	})
	var lost *manager.LostError
	if err := next(t, ended); !errors.As(err, &lost) || lost.Reason != manager.Broken {
		t.Error(err)
	}
}

func TestAJobIsToldOfTheEndOfItsScheduler(t *testing.T) {
	l := newLocker(t, managertest.Memory(t))
	began, ended := make(chan struct{}), make(chan error, 1)
	t.Run("until the scheduler ends", func(t *testing.T) {
		schedule(t, gocron.WithDistributedLocker(l), "report", func(ctx context.Context) error {
			ctx = l.Context(ctx)
			close(began)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		})
		next(t, began)
	})
	if err := next(t, ended); !errors.Is(err, context.Canceled) || errors.Is(err, manager.ErrLost) {
		t.Error(err)
	}
	l.runs.Range(func(any, any) bool {
		t.Error("something is left")
		return true
	})
}

func TestNoJobRunsWhileTheStoreIsOutOfReach(t *testing.T) {
	s := redistest.Start(t)
	l := newLocker(t, managertest.Redis(t, s, s.Prefix()))
	s.Kill()
	refused := schedule(t, gocron.WithDistributedLocker(l), "report", func(context.Context) error {
		t.Error("it runs")
		return nil
	})
	if err := next(t, refused); !errors.Is(err, manager.ErrUnavailable) || errors.Is(err, manager.ErrBusy) {
		t.Error(err)
	}
}

// A second run of a job may begin when the first has lost the lock and has not heard of it.
func TestTheUnlockOfALostRunLeavesTheNextRunAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managertest.Memory(t)
		l := newLocker(t, m)
		ctx := t.Context()
		first, err := l.Lock(ctx, "report")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Break(ctx, "report"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(manager.DefaultTTL) // for so long at most the first run holds up its own process
		second, err := l.Lock(ctx, "report")
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Unlock(ctx); !errors.Is(err, manager.ErrLost) {
			t.Error(err)
		}
		if err := l.Context(ctx).Err(); err != nil {
			t.Error(err)
		}
		if err := second.Unlock(ctx); err != nil {
			t.Error(err)
		}
		if cause := context.Cause(l.Context(ctx)); !errors.Is(cause, manager.ErrReleased) {
			t.Error(cause)
		}
	})
}

func TestBadArgumentsAreRefused(t *testing.T) {
	m := managertest.Memory(t)
	for what, err := range map[string]error{
		"no manager":               second(New(nil)),
		"zero manager":             second(New(&manager.Manager{})),
		"no manager of an elector": second(NewElector(nil, "a")),
		"zero option":              second(newLocker(t, m, manager.AcquireOption{}).Lock(t.Context(), "a")),
		"no name":                  second(newLocker(t, m).Lock(t.Context(), "")),
	} {
		if !errors.Is(err, manager.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// The second scheduler is due when the job has ended on the first.
func TestJobThatTakesNoTimeRunsOnceWhereClocksDiffer(t *testing.T) {
	s := server.Get(t)
	prefix := s.Prefix()
	ran := make(chan struct{}, 3)
	for i := range 3 {
		m := managertest.Redis(t, s, prefix)
		if i > 0 {
			managertest.AwaitReleased(t, m, "report")
		}
		l := newLocker(t, m, manager.HoldAtLeast(time.Hour))
		refused := schedule(t, gocron.WithDistributedLocker(l), "report", func(context.Context) error {
			ran <- struct{}{}
			return nil
		})
		if i == 0 {
			next(t, ran)
			continue
		}
		select {
		case err := <-refused:
			wantBusy(t, err)
		case <-ran:
			t.Fatal("the job has run again")
		}
	}
}
