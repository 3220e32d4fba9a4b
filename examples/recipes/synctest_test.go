package recipes

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The test takes no time: in the bubble of synctest the clock jumps when all goroutines wait.
func TestMigrateGivesUpAfterFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		ours, theirs := machine(t, store), machine(t, store.Peer())
		lease, err := theirs.Lock("migrate/shop").Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer lease.Release()
		start := time.Now()
		err = Migrate(t.Context(), ours, func(context.Context) error {
			t.Error("two migrate")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// machine returns a manager, as another machine has it.
func machine(t *testing.T, store *memory.Backend) *manager.Manager {
	t.Helper()
	m, err := manager.New(store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}
