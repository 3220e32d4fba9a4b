package manager

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestDoRunsUnderTheLeaseAndReleases(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		fault := errors.New("fault")
		var inner context.Context
		err := m.Lock("db").Do(context.WithValue(context.Background(), key{}, "v"), func(ctx context.Context) error {
			inner = ctx
			wantBusy(t, m.Lock("db"))
			if ctx.Value(key{}) != "v" || ctx.Err() != nil {
				t.Errorf("value %v, err %v", ctx.Value(key{}), ctx.Err())
			}
			return fault
		})
		if err != fault { //nolint:errorlint // nothing must be added
			t.Errorf("got %v", err)
		}
		if inner.Err() == nil {
			t.Error("the context outlives Do")
		}
		wantFree(t, m.Lock("db"))
		if err := m.Lock("db").Do(context.Background(), func(context.Context) error { return nil }); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestDoReleasesOnPanicAndGoexitAndLetsThemGoOn(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("recovered %v", v)
				}
			}()
			_ = m.Lock("db").Do(context.Background(), func(context.Context) error { panic("boom") })
		}()
		wantFree(t, m.Lock("db"))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = m.Lock("db").Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
			t.Error("Goexit was swallowed")
		}()
		<-done
		wantFree(t, m.Lock("db"))
		if s := m.Stats(); s.Totals.Releases != s.Totals.Acquisitions {
			t.Errorf("%d acquired, %d released", s.Totals.Acquisitions, s.Totals.Releases)
		}
	})
}

func TestDoDoesNotRunWhatItCannotHold(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := m.Lock("db").Do(ctx, func(context.Context) error { t.Error("called"); return nil })
		wantErr(t, err, context.DeadlineExceeded)
		mustRelease(t, l)
	})
}

func TestDoEndsItsContextAndSaysSoWhenTheLeaseIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		fault := errors.New("fault")
		for _, all := range []bool{false, true} {
			c := m.Lock("db")
			if all {
				c = m.All(c, m.Lock("x"))
			}
			for _, own := range []error{nil, fault} {
				err := c.Do(context.Background(), func(ctx context.Context) error {
					if err := m.Break(context.Background(), "db"); err != nil {
						t.Error(err)
					}
					<-ctx.Done()
					wantLost(t, context.Cause(ctx), Broken)
					return own
				})
				wantLost(t, err, Broken)
				if own != nil {
					wantErr(t, err, own)
				}
			}
		}
	})
}

func TestDoEndsWithItsCallersContext(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx, cancel := context.WithCancel(context.Background())
		err := m.Lock("db").Do(ctx, func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		wantErr(t, err, context.Canceled)
		if errors.Is(err, ErrLost) {
			t.Errorf("got %v", err)
		}
		wantFree(t, m.Lock("db"))
	})
}

// The work was done under a valid lease: a release that the store did not answer does not make it a failure.
func TestDoDoesNotFailForAnUnansweredRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		err := m.Lock("db").Do(context.Background(), func(context.Context) error {
			f.set(only("release", hang), nil)
			return nil
		})
		if err != nil {
			t.Errorf("got %v", err)
		}
		f.set(nil, nil)
	})
}
