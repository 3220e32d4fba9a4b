package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// newManager returns a manager that is closed at the end of the test.
func newManager(t testing.TB, b backends.Backend, opts ...Option) *Manager {
	t.Helper()
	m, err := New(b, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeManager(t, m) })
	return m
}

// closeManager closes it, and fails the test unless nothing of it is left.
func closeManager(t testing.TB, m *Manager) {
	t.Helper()
	if err := m.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
	if ks, _ := m.dir.all(false); len(ks) != 0 {
		t.Errorf("%d keepers are left after Close", len(ks))
	}
}

// bubble runs f with a fake clock, and a manager on a new memory store; synctest.Wait waits for everything that is
// going on.
func bubble(t *testing.T, f func(t *testing.T, m *Manager), opts ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memory.New(), opts...)
		f(t, m)
	})
}

// twins runs f with two managers on one store, as two processes would have them.
func twins(t *testing.T, f func(t *testing.T, a, b *Manager), opts ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := newManager(t, store, opts...), newManager(t, store.Peer(), opts...)
		f(t, a, b)
	})
}

func mustAcquire(t testing.TB, c Claim, opts ...AcquireOption) *Lease {
	t.Helper()
	return acquireUnder(t, context.Background(), c, opts...)
}

func acquireUnder(t testing.TB, ctx context.Context, c Claim, opts ...AcquireOption) *Lease {
	t.Helper()
	l, err := c.Acquire(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustRelease(t testing.TB, ls ...*Lease) {
	t.Helper()
	for _, l := range ls {
		if err := l.Release(); err != nil {
			t.Errorf("release %q: %v", l.Name(), err)
		}
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// wantLost fails unless err is a *LostError with the reason.
func wantLost(t testing.TB, err error, reason LostReason) {
	t.Helper()
	var lost *LostError
	if !errors.As(err, &lost) || lost.Reason != reason || !errors.Is(err, ErrLost) {
		t.Errorf("got error %v, want a LostError with reason %q", err, reason)
	}
}

func wantFree(t testing.TB, c Claim) {
	t.Helper()
	l, err := c.TryAcquire(context.Background())
	if err != nil {
		t.Errorf("%q should be free: %v", c.name, err)
		return
	}
	mustRelease(t, l)
}

func wantBusy(t testing.TB, c Claim) {
	t.Helper()
	if l, err := c.TryAcquire(context.Background()); !errors.Is(err, ErrBusy) {
		t.Errorf("%q should be busy: %v", c.name, err)
		if err == nil {
			mustRelease(t, l)
		}
	}
}

// waiter is an acquire that goes on in the background.
type waiter struct {
	lease  *Lease
	err    error
	done   chan struct{}
	cancel context.CancelCauseFunc
}

// start begins an acquire; in a bubble it stands in its queue, or is done, when start returns.
func start(c Claim, opts ...AcquireOption) *waiter {
	return startWith(context.Background(), c, opts...)
}

func startWith(ctx context.Context, c Claim, opts ...AcquireOption) *waiter {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &waiter{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(w.done)
		w.lease, w.err = c.Acquire(ctx, opts...)
	}()
	synctest.Wait()
	return w
}

func (w *waiter) waiting() bool {
	synctest.Wait()
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// granted returns the lease of an acquire that must be through by now.
func (w *waiter) granted(t testing.TB) *Lease {
	t.Helper()
	if w.waiting() {
		t.Fatal("still waiting")
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
	return w.lease
}

func (w *waiter) stillWaiting(t testing.TB) {
	t.Helper()
	if !w.waiting() {
		t.Fatalf("should still wait; error: %v", w.err)
	}
}

func row(m *Manager, name string) ResourceStats {
	for _, r := range m.Stats().Resources {
		if r.Name == name {
			return r
		}
	}
	return ResourceStats{}
}

func sleep(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}
