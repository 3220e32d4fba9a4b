package memory_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func busy(t testing.TB, b backends.Backend, r backends.Request) {
	t.Helper()
	if g, err := backends.TryAcquire(t.Context(), b, r); !errors.Is(err, backends.ErrBusy) {
		t.Fatalf("TryAcquire = %+v, %v; want ErrBusy", g, err)
	}
}

func TestErrorsSayTheNameAndTheCause(t *testing.T) {
	b := memory.New()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user left")
	cancel(why)
	_, err := backends.Acquire(ctx, b, mutex("db"))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !strings.Contains(err.Error(), `"db"`) {
		t.Errorf("Acquire with a cancelled context: %v", err)
	}
	try(t, b, mutex("db"))
	if _, err := backends.TryAcquire(t.Context(), b, mutex("db")); err == nil || !strings.HasPrefix(err.Error(), `memory: try to acquire "db": busy: held by `) {
		t.Errorf("TryAcquire: %v", err)
	}
}

func TestDeadlineEndsTheWaitOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		g := try(t, b, mutex("db"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		_, err := backends.Acquire(ctx, b, mutex("db"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("Acquire returned %v after %v", err, time.Since(start))
		}
		release(t, b, g)
		release(t, b, try(t, b, mutex("db")))
	})
}

// The grant and the end of the context come at the same instant, by the same clock.
func TestDeadlineAtTheInstantOfTheRelease(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			b := memory.New()
			held := try(t, b, mutex("db"))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			var all sync.WaitGroup
			all.Go(func() {
				if g, err := backends.Acquire(ctx, b, mutex("db")); err == nil {
					release(t, b, g)
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Acquire: %v", err)
				}
			})
			all.Go(func() {
				<-time.After(time.Second)
				release(t, b, held)
			})
			all.Wait()
			release(t, b, try(t, b, mutex("db")))
		})
	}
}

func TestCancelledAcquiresLeaveNothing(t *testing.T) {
	const n = 100_000
	b, other := memory.New(), 0
	g := try(t, b, mutex("db"))
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	for range n {
		all.Go(func() {
			if _, err := backends.Acquire(ctx, b, mutex("db")); !errors.Is(err, context.Canceled) {
				mu.Lock()
				other++
				mu.Unlock()
			}
		})
	}
	cancel()
	all.Wait()
	if other > 0 {
		t.Errorf("%d of %d cancelled acquires did not say so", other, n)
	}
	state, err := b.Inspect(t.Context(), "db")
	if err != nil || len(state.Waiters) > 0 || len(state.Holders) != 1 {
		t.Errorf("left behind: %+v, %v", state, err)
	}
	release(t, b, g)
}

// Nothing runs beside the caller, so an answer that has come was told by the call.
func TestOperationsAtRestCompleteInTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		var grants []backends.Grant
		var failed []error
		released := 0
		answer := func(_ int, g backends.Grant, err error) {
			if err != nil {
				failed = append(failed, err)
			} else {
				grants = append(grants, g)
			}
		}
		start := func(op *backends.Op) {
			t.Helper()
			op.Granted, op.Released = answer, func(int, error) { released++ }
			if work := b.Start(op); work != nil {
				t.Error("the operation has work")
			}
		}
		start(&backends.Op{Wait: true, Acquire: []backends.Request{mutex("a"), mutex("b")}})
		waits := &backends.Op{Wait: true, Acquire: []backends.Request{mutex("b"), mutex("c")}}
		start(waits)
		if len(grants) != 3 || grants[2].Resource.Name != "c" {
			t.Fatalf("granted %+v; want a, b and c", grants)
		}
		if work := b.Cancel(waits); work != nil || len(failed) != 1 || !errors.Is(failed[0], context.Canceled) {
			t.Fatalf("Cancel: %v; want one answer, context.Canceled", failed)
		}
		start(&backends.Op{Release: grants})
		if released != 3 {
			t.Errorf("%d of 3 releases were answered in the call", released)
		}
	})
}

// A caller may start an op again, or use it for something else, in its last callback.
func TestAnOpMayBeUsedAgainInItsLastCallback(t *testing.T) {
	const rounds = 1000
	b, done := memory.New(), make(chan int)
	op := &backends.Op{Acquire: []backends.Request{mutex("a"), mutex("b")}, Wait: true}
	missing, n := 2, 0
	op.Released = func(int, error) {}
	op.Granted = func(i int, g backends.Grant, err error) {
		if err != nil {
			t.Error(err)
		}
		op2 := &backends.Op{Release: []backends.Grant{g}, Released: func(int, error) {}}
		b.Start(op2)
		if missing--; missing > 0 {
			return
		}
		if n++; n == rounds {
			*op = backends.Op{}
			close(done)
			return
		}
		missing = 2
		b.Start(op)
		if n%3 == 0 {
			b.Cancel(&backends.Op{State: op.State}) // of a copy: nothing
		}
	}
	b.Start(op)
	<-done
}

// An op may be a copy of another one that waits.
func TestACopyOfAnOpHasPlacesOfItsOwn(t *testing.T) {
	b := memory.New()
	held := try(t, b, mutex("db"))
	told := map[string]error{}
	op := &backends.Op{Acquire: []backends.Request{mutex("db")}, Wait: true}
	op.Granted = func(_ int, _ backends.Grant, err error) { told["original"] = err }
	b.Start(op)
	twin := *op
	twin.Granted = func(_ int, _ backends.Grant, err error) { told["copy"] = err }
	b.Start(&twin)
	b.Cancel(op)
	if err, ok := told["original"]; !ok || len(told) != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("after the cancel of the original: %v", told)
	}
	release(t, b, held)
	if err, ok := told["copy"]; !ok || err != nil {
		t.Errorf("after the release: %v; want a grant for the copy", told)
	}
}

func TestQuietHoldersAreNotTold(t *testing.T) {
	b := memory.New()
	var events []backends.Event
	quiet := mutex("db")
	quiet.Notify, quiet.Quiet = func(e backends.Event) { events = append(events, e) }, true
	g := try(t, b, quiet)
	w := &backends.Op{Acquire: []backends.Request{mutex("db")}, Wait: true, Granted: func(int, backends.Grant, error) {}}
	b.Peer().Start(w)
	if len(events) > 0 {
		t.Errorf("a quiet holder was told %+v", events)
	}
	if a := b.Renew(t.Context(), []backends.Renewal{{Grant: g}})[0]; !a.Contended {
		t.Error("its renewal does not say that another client waits")
	}
}
