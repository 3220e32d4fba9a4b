package recipes

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
)

func TestOnceRunsUntilItSucceedsAndNeverAgain(t *testing.T) {
	s := server.Get(t)
	db, prefix := s.Client(t), s.Prefix()
	var ran atomic.Int32
	broken := errors.New("broken")
	ended := make(chan error)
	const processes = 5
	for range processes {
		m := managertest.Redis(t, s, prefix)
		go func() {
			ended <- Once(t.Context(), m, db, "seed"+prefix, func(context.Context) error {
				if ran.Add(1) == 1 {
					return broken
				}
				return nil
			})
		}()
	}
	failed := 0
	for range processes {
		switch err := <-ended; {
		case errors.Is(err, broken):
			failed++
		case err != nil:
			t.Error(err)
		}
	}
	if n := ran.Load(); n != 2 || failed != 1 {
		t.Errorf("ran %d times, %d failures", n, failed)
	}
}
