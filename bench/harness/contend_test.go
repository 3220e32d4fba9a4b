package harness

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestContendedCountsEveryGoroutine(t *testing.T) {
	held := 0
	m, err := Contended(4, func() Guard {
		var mu sync.Mutex
		return Guard{
			Acquire: func(context.Context) error { mu.Lock(); held++; return nil },
			Release: func() error { mu.Unlock(); return nil },
		}
	})(t.Context(), Budget{Duration: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if g := m["grants/s"]; g <= 0 || held < int(g*0.02) {
		t.Errorf("%v grants/s in 20 ms, of %d grants in all", g, held)
	}
	for _, k := range []string{"ns/op", "jain", "wait p99 µs", "wait max µs", "allocs/op"} {
		if _, ok := m[k]; !ok {
			t.Errorf("no %s in %v", k, m)
		}
	}
}

func TestContendedReportsAnError(t *testing.T) {
	broken := errors.New("broken")
	_, err := Contended(2, func() Guard {
		return Guard{Acquire: func(context.Context) error { return broken }}
	})(t.Context(), Budget{Duration: time.Millisecond, Quick: true})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want broken", err)
	}
}
