//go:build !race

package memory_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

const raceEnabled = false

// The race detector has sync.Pool forget things, so allocations are counted without it.
func TestUncontendedCallsAllocateOnlyTheHolder(t *testing.T) {
	b := memory.New()
	ctx, r := t.Context(), mutex("db")
	allocs := testing.AllocsPerRun(1000, func() {
		g, err := b.TryAcquire(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Release(ctx, g); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}
