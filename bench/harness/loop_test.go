package harness

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var sink []byte

func TestLoopCountsAllocations(t *testing.T) {
	m, err := Loop(func(_ context.Context, n int) error {
		for range n {
			sink = make([]byte, 100)
		}
		return nil
	})(t.Context(), Budget{Duration: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if a := m["allocs/op"]; a < 0.99 || a > 1.5 { // the runtime may allocate a little beside us
		t.Errorf("%v allocs/op, want 1", a)
	}
	if m["ns/op"] <= 0 {
		t.Errorf("%v ns/op", m["ns/op"])
	}
}

func TestLeastIsTheTimeOfAnOperationInTheFastestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		least, err := fastest(t.Context(), func(_ context.Context, n int) error {
			sizes = append(sizes, n)
			each := 30 * time.Millisecond
			if len(sizes) == 2 {
				each /= 3
			}
			time.Sleep(time.Duration(n) * each)
			return nil
		}, 10, 4)
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{2, 2, 3, 3}; !slices.Equal(sizes, want) {
			t.Errorf("batches of %v, want %v", sizes, want)
		}
		if least != 10e6 {
			t.Errorf("%v ns at least, want 10 ms", least)
		}
	})
}
