package manager

import (
	"context"
	"errors"
	"fmt"
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
		if s := fmt.Sprint(child); s != `lease.Context("db").WithCancel` {
			t.Errorf("shown as %s", s)
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

// What runs in Do finds its lease, and goes on finding it when it is lost: the token is wanted then as well.
func TestLeaseFromFindsTheInnermostLease(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		if l := LeaseFrom(t.Context()); l != nil {
			t.Errorf("a lease from nowhere: %v", l.Name())
		}
		err := m.Lock("outer").Do(t.Context(), func(ctx context.Context) error {
			outer := LeaseFrom(ctx)
			inner := mustAcquire(t, m.Lock("inner"))
			if l := LeaseFrom(inner.Context()); l != inner {
				t.Error("the context of a lease does not tell which")
			}
			err := m.Lock("db").Do(ctx, func(ctx context.Context) error {
				l := LeaseFrom(ctx)
				if err := m.Break(t.Context(), "db"); err != nil {
					t.Error(err)
				}
				<-ctx.Done()
				if l == nil || l == outer || LeaseFrom(ctx) != l || l.Name() != "db" || l.Token() == 0 {
					t.Errorf("lease %v; want that of db, lost or not", l)
				}
				return nil
			})
			wantLost(t, err, Broken)
			mustRelease(t, inner)
			if outer.Name() != "outer" || !outer.Valid() {
				t.Errorf("outer lease: %v", outer)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
