//go:build !race

package memory_test

import (
	"strconv"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

const raceEnabled = false

// The race detector has sync.Pool forget things, so allocations are counted without it.
func TestOperationsAllocateNothingInSteadyState(t *testing.T) {
	for _, n := range []int{1, 10} {
		b, grants := memory.New(), make([]backends.Grant, n)
		failed := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		acquire := &backends.Op{Wait: true, Granted: func(i int, g backends.Grant, err error) {
			failed(err)
			grants[i] = g
		}}
		for i := range n {
			acquire.Acquire = append(acquire.Acquire, mutex(strconv.Itoa(i)))
		}
		release := &backends.Op{Release: grants, Released: func(_ int, err error) { failed(err) }}
		allocs := testing.AllocsPerRun(1000, func() {
			b.Start(acquire)
			b.Start(release)
		})
		most := 0.0
		if n > 4 {
			most = 1 // the list of the resources
		}
		if allocs > most {
			t.Errorf("%v allocations for %d names; want %v", allocs, n, most)
		}
	}
}
