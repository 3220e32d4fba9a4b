//go:build !race

package manager

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

const raceEnabled = false

// The race detector allocates for itself, so this is counted without it.
func TestUncontendedAcquireAllocatesLittle(t *testing.T) {
	m := newManager(t, memory.New())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := m.Lock("db")
	n := testing.AllocsPerRun(1000, func() {
		l, err := c.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		mustRelease(t, l)
	})
	if n > 3 {
		t.Errorf("%v allocations for an acquire and a release, want at most 3", n)
	}
}
