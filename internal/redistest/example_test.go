package redistest_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A test that freezes or kills its server has one of its own.
func ExampleStart() {
	_ = func(t *testing.T) {
		s := redistest.Start(t, "--appendonly", "yes")
		client := s.Client(t)
		_ = client // … use it
		s.Restart(t)
	}
}
