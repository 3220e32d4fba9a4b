package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestListIsOfOneInstant(t *testing.T) {
	b := memory.New()
	g := try(t, b, mutex("a"))
	n := 0
	for _, err := range b.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		release(t, b, g)
		g = try(t, b, mutex("b")) // is not in the list any more
		n++
	}
	if n != 1 {
		t.Errorf("List yielded %d resources; want the one there was", n)
	}
}

func TestViewsWithAnEndedContext(t *testing.T) {
	b := memory.New()
	try(t, b, mutex("db"))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if state, err := b.Inspect(done, "db"); !errors.Is(err, context.Canceled) {
		t.Errorf("Inspect = %+v, %v", state, err)
	}
	n := 0
	for state, err := range b.List(done) {
		if n++; !errors.Is(err, context.Canceled) {
			t.Errorf("List: %+v, %v", state, err)
		}
	}
	if n != 1 {
		t.Errorf("List yielded %d times; want once, the error", n)
	}
}
