package manager

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// across is a store between processes, which counts how often it is asked who holds a name.
type across struct {
	intercept.Backend
	asked atomic.Int32
}

func (a *across) Capabilities() backends.Capabilities {
	c := a.Backend.Capabilities()
	c.CrossProcess = true
	return c
}

func newAcross(b backends.Backend) *across {
	a := &across{}
	a.Backend.Backend = b
	a.OnInspect = func(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
		a.asked.Add(1)
		return inspect(ctx, name)
	}
	return a
}

// processes runs f with two managers as those of two processes, the second on a store between them.
func processes(t *testing.T, f func(t *testing.T, a, b *Manager, store *across)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		store := newAcross(m.Peer())
		f(t, newManager(t, m, WithLabel("backup")), newManager(t, store), store)
	})
}

// wantElsewhere fails unless err names the lease of another process as the holder of the name.
func wantElsewhere(t *testing.T, err, want error, m *Manager, l *Lease, name string) {
	t.Helper()
	wantErr(t, err, want)
	var held *HeldError
	if !errors.As(err, &held) {
		t.Errorf("%v names no holder", err)
		return
	}
	if held.Name != name || held.Owner != m.owner || held.Holder.Token != l.Token() || held.Holder.Since.IsZero() {
		t.Errorf("named %+v; want token %d of %q, %v", held, l.Token(), name, m.owner)
	}
	since := held.Holder.Since.Local().Format(time.DateTime)
	if text := err.Error(); !strings.HasSuffix(text, "held by "+m.owner.String()+" since "+since) ||
		strings.Count(text, "busy") > 1 || !strings.Contains(text, name) {
		t.Errorf("text %q", text)
	}
}

func acquireWithin(ctx context.Context, d time.Duration, c Claim) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	l, err := c.Acquire(ctx)
	if err == nil {
		_ = l.Release()
	}
	return err
}

// A busy try names the holder in another process, by what its refusal says: the store is not asked
// again.
func TestABusyTryNamesTheHolderInAnotherProcess(t *testing.T) {
	processes(t, func(t *testing.T, a, b *Manager, store *across) {
		l := mustAcquire(t, a.Lock("db"))
		_, err := b.Lock("db").TryAcquire(t.Context())
		wantElsewhere(t, err, ErrBusy, a, l, "db")
		_, err = b.All(b.Lock("a"), b.Lock("db"), b.Lock("z")).TryAcquire(t.Context())
		wantElsewhere(t, err, ErrBusy, a, l, "db")
		if n := store.asked.Load(); n != 0 {
			t.Errorf("the store was asked %d times", n)
		}
		mustRelease(t, l)
	})
}

// A wait that times out names the holder in another process. The store is asked once for all
// waiters, in time for the error to come at the deadline.
func TestAWaitThatTimesOutNamesTheHolderInAnotherProcess(t *testing.T) {
	for _, d := range []time.Duration{time.Millisecond, 300 * time.Millisecond, time.Minute} {
		processes(t, func(t *testing.T, a, b *Manager, store *across) {
			l := mustAcquire(t, a.Lock("db"))
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			began := time.Now()
			var ws []*waiter
			for range 10 {
				ws = append(ws, startWith(ctx, b.Lock("db")))
			}
			for _, w := range ws {
				<-w.done
				wantElsewhere(t, w.err, context.DeadlineExceeded, a, l, "db")
			}
			if late := time.Since(began) - d; late != 0 {
				t.Errorf("the error came %v after the deadline", late)
			}
			if n := store.asked.Load(); n != 1 {
				t.Errorf("the store was asked %d times", n)
			}
			mustRelease(t, l)
			sleep(time.Minute)
			if n := len(b.Stats().Resources); n != 0 {
				t.Errorf("%d names are left", n)
			}
		})
	}
}

// A wait that is granted in time, one without a deadline, and one for a name that is held here do
// not ask the store.
func TestTheStoreIsAskedOnlyForAWaitThatIsAboutToTimeOut(t *testing.T) {
	processes(t, func(t *testing.T, a, b *Manager, store *across) {
		l := mustAcquire(t, a.Lock("db"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := startWith(ctx, b.Lock("db"))
		sleep(30 * time.Second)
		mustRelease(t, l)
		l = w.granted(t)
		if err := acquireWithin(t.Context(), time.Second, b.Lock("db")); err == nil || !strings.Contains(err.Error(), "in this process") {
			t.Errorf("a wait for what is held here: %v", err)
		}
		w = start(b.Lock("db"))
		sleep(time.Hour)
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		if n := store.asked.Load(); n != 0 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

// A store that does not answer, fails or panics when it is asked who holds does not delay the error
// of a wait that times out; the error names nobody.
func TestAStoreThatDoesNotTellWhoHoldsDelaysNoError(t *testing.T) {
	for what, answer := range map[string]func(context.Context) (backends.State, error){
		"silent": func(ctx context.Context) (backends.State, error) { <-ctx.Done(); return backends.State{}, ctx.Err() },
		"failed": func(context.Context) (backends.State, error) { return backends.State{}, ErrUnavailable },
		"panics": func(context.Context) (backends.State, error) { panic("store") },
		"nobody": func(context.Context) (backends.State, error) { return backends.State{}, nil },
	} {
		processes(t, func(t *testing.T, a, b *Manager, store *across) {
			store.OnInspect = func(ctx context.Context, _ string, _ intercept.Inspect) (backends.State, error) {
				return answer(ctx)
			}
			l := mustAcquire(t, a.Lock("db"))
			began := time.Now()
			err := acquireWithin(t.Context(), time.Second, b.Lock("db"))
			if late := time.Since(began) - time.Second; late != 0 {
				t.Errorf("%s: the error came %v after the deadline", what, late)
			}
			var held *HeldError
			if wantErr(t, err, context.DeadlineExceeded); errors.As(err, &held) {
				t.Errorf("%s: named %+v", what, held)
			}
			mustRelease(t, l)
		})
	}
}

// An All that times out names the part that it waited for and its holder, here and elsewhere. A part
// that it has, and one that is free, are not to blame.
func TestAnAllThatTimesOutNamesThePartAndItsHolder(t *testing.T) {
	processes(t, func(t *testing.T, a, b *Manager, store *across) {
		both := func() Claim { return b.All(b.Lock("a"), b.Semaphore("b", 2).Permits(1), b.Lock("c"), b.Lock("d")) }
		shared := mustAcquire(t, b.Semaphore("b", 2).Permits(1)) // in nobody's way
		l := mustAcquire(t, a.Lock("c"))
		wantElsewhere(t, acquireWithin(t.Context(), time.Second, both()), context.DeadlineExceeded, a, l, "c")
		if n := store.asked.Load(); n != 1 {
			t.Errorf("the store was asked %d times", n)
		}

		w := start(b.Lock("c")) // in the way of the All, which the store does not know then
		wantElsewhere(t, acquireWithin(t.Context(), time.Second, both()), context.DeadlineExceeded, a, l, "c")
		mustRelease(t, l)

		here := w.granted(t)
		err := acquireWithin(t.Context(), time.Second, both())
		wantHeld(t, err, context.DeadlineExceeded, here, "")
		if text := err.Error(); !strings.Contains(text, `acquire "c": `) {
			t.Errorf("text %q does not name the part", text)
		}
		mustRelease(t, here, shared)
		if err := acquireWithin(t.Context(), time.Second, both()); err != nil {
			t.Error(err)
		}
	})
}

// A holder that has lost the name and may still run is named: it keeps others out until it stops.
func TestAHolderThatMayStillRunIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"), HoldAtMost(time.Second))
		sleep(time.Second)
		wantLost(t, l.Err(), MaxHold)
		_, err := m.Lock("db").TryAcquire(t.Context())
		wantHeld(t, err, ErrBusy, l, "")
		_ = l.Release()
		wantFree(t, m.Lock("db"))
	})
}
