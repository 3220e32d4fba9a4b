package manager

import (
	"context"
	"errors"
	"testing"
	"time"
)

type key struct{}

func TestLeaseContextKeepsValuesButNotTheEndOfTheAcquire(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), key{}, "v"), time.Minute)
		l, err := m.Lock("db").Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		lc := l.Context()
		if lc != l.Context() {
			t.Error("two contexts")
		}
		child, stop := context.WithCancel(lc)
		defer stop()
		cancel()
		if lc.Err() != nil || lc.Value(key{}) != "v" {
			t.Errorf("err %v, value %v", lc.Err(), lc.Value(key{}))
		}
		if _, has := lc.Deadline(); has {
			t.Error("inherited the deadline")
		}
		mustRelease(t, l)
		<-child.Done()
		if !errors.Is(lc.Err(), context.Canceled) || !errors.Is(context.Cause(lc), ErrReleased) || !errors.Is(context.Cause(child), ErrReleased) {
			t.Errorf("ended by %v, %v", lc.Err(), context.Cause(child))
		}
		if late := mustAcquire(t, m.Lock("db")); true {
			mustRelease(t, late)
			wantErr(t, context.Cause(late.Context()), ErrReleased) // asked for after the end
		}
	})
}
