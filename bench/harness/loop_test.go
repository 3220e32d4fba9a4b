package harness

import (
	"context"
	"testing"
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
