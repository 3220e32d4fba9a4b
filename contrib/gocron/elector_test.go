package lkgocron

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/go-co-op/gocron/v2"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

func newElector(t *testing.T, m *manager.Manager) *Elector {
	t.Helper()
	e, err := NewElector(m, "leader")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestJobsRunOnTheLeaderUntilItResigns(t *testing.T) {
	s := server.Get(t)
	prefix := s.Prefix()
	a, b := newElector(t, managertest.Redis(t, s, prefix)), newElector(t, managertest.Redis(t, s, prefix))
	if err := a.IsLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	ran := make(chan string, 10)
	run := func(name string, e *Elector) {
		schedule(t, gocron.WithDistributedElector(e), name, func(ctx context.Context) error {
			ctx, done := e.Context(ctx)
			defer done()
			if err := ctx.Err(); err != nil || manager.LeaseFrom(ctx).Token() == 0 {
				t.Error(err)
			}
			ran <- name
			return nil
		})
	}
	run("a", a)
	if got := next(t, ran); got != "a" {
		t.Errorf("%s ran", got)
	}
	wantBusy(t, b.IsLeader(t.Context()))
	if err := a.Resign(t.Context()); err != nil {
		t.Error(err)
	}
	run("b", b)
	if got := next(t, ran); got != "b" {
		t.Errorf("%s ran", got)
	}
	wantBusy(t, a.IsLeader(t.Context()))
	if ctx, done := a.Context(t.Context()); !errors.Is(context.Cause(ctx), manager.ErrReleased) {
		t.Error(context.Cause(ctx))
	} else {
		done()
	}
}

func TestCallsOfOneProcessDoNotCompeteForTheLead(t *testing.T) {
	m := managertest.Memory(t)
	for range 20 {
		e := newElector(t, m)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := e.IsLeader(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := e.Resign(t.Context()); err != nil {
			t.Error(err)
		}
		if err := e.Resign(t.Context()); err != nil {
			t.Error("again:", err)
		}
	}
}

func TestADeposedLeaderEndsItsJobsAndStandsAgain(t *testing.T) {
	m := managertest.Memory(t)
	e := newElector(t, m)
	if err := e.IsLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, done := e.Context(t.Context())
	defer done()
	first := manager.LeaseFrom(ctx).Token()
	if err := m.Break(t.Context(), "leader"); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), manager.ErrLost) {
		t.Error(context.Cause(ctx))
	}
	if err := e.IsLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, done := e.Context(t.Context())
	defer done()
	if token := manager.LeaseFrom(again).Token(); token <= first || again.Err() != nil {
		t.Errorf("term %d after %d, %v", token, first, again.Err())
	}
	if err := e.Resign(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNobodyLeadsWhileTheStoreIsOutOfReach(t *testing.T) {
	s := redistest.Start(t)
	e := newElector(t, managertest.Redis(t, s, s.Prefix()))
	s.Kill()
	if err := e.IsLeader(t.Context()); !errors.Is(err, manager.ErrUnavailable) {
		t.Error(err)
	}
}
