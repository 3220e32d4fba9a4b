package recipes

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestOneOfThreeProcessesMigrates(t *testing.T) {
	store := memory.New()
	ended := make(chan error)
	version, migrated := 0, 0 // the lock guards them
	for range 3 {
		m := machine(t, store.Peer())
		go func() {
			ended <- Migrate(t.Context(), m, func(context.Context) error {
				if version < 7 {
					version = 7
					migrated++
				}
				return nil
			})
		}()
	}
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if migrated != 1 {
		t.Errorf("migrated %d times", migrated)
	}
}
