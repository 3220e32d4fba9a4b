package recipes

import (
	"context"
	"errors"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
)

func TestADeposedLeaderCannotWrite(t *testing.T) {
	s := server.Get(t)
	db, prefix := s.Client(t), s.Prefix()
	first, second := managertest.Redis(t, s, prefix), managertest.Redis(t, s, prefix)
	t.Cleanup(func() { db.Del(context.Background(), "plan") })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)

	paused, resume := make(chan struct{}), make(chan struct{})
	plans := 0
	go func() {
		ended <- Plan(ctx, first, db, func(ctx context.Context) (string, error) {
			switch plans++; plans {
			case 1:
				return "of the first", nil
			case 2:
				close(paused)
				<-resume // it does not look at its context: it is paused
				return "too late", nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		})
	}()
	<-paused
	wantPlan(t, db, "of the first")
	if err := second.Break(ctx, "planner"); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan struct{})
	written := false
	go func() {
		ended <- Plan(ctx, second, db, func(ctx context.Context) (string, error) {
			if !written {
				written = true
				return "of the second", nil
			}
			close(wrote)
			<-ctx.Done()
			return "", ctx.Err()
		})
	}()
	<-wrote
	close(resume)
	for { // until the first stands for leader again: then its write was refused
		state, err := second.Inspect(t.Context(), "planner")
		if err != nil {
			t.Fatal(err)
		}
		if len(state.Waiters) > 0 {
			break
		}
	}
	wantPlan(t, db, "of the second")
	stop()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func wantPlan(t *testing.T, db goredis.UniversalClient, want string) {
	t.Helper()
	if got, err := db.HGet(t.Context(), "plan", "text").Result(); got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
