package manager

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

func mustBreak(t testing.TB, m *Manager, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := m.Break(context.Background(), n); err != nil {
			t.Error(err)
		}
	}
}

func TestPartLostWhileAnAllWaitsIsTakenAgain(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		c := mustAcquire(t, other.Lock("c"))
		w := start(m.All(m.Lock("a"), m.Lock("b"), m.Lock("c")))
		for range 3 {
			mustBreak(t, m, "b")
			w.stillWaiting(t)
			wantBusy(t, m.Lock("a"))
			wantBusy(t, m.Lock("b"))
		}
		mustBreak(t, m, "a", "b")
		w.stillWaiting(t)
		mustRelease(t, c)
		l := w.granted(t)
		for _, p := range l.Leases() {
			if !p.Valid() {
				t.Errorf("%s is not held: %v", p.Name(), p.Err())
			}
		}
		mustRelease(t, l)
		for _, n := range []string{"a", "b", "c"} {
			wantFree(t, m.Lock(n))
		}
	})
}

func TestDoOverAllRunsItsFunctionAlthoughAPartWasLostBefore(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		b := mustAcquire(t, other.Lock("b"))
		ran := 0
		done := make(chan error)
		go func() {
			done <- m.All(m.Lock("a"), m.Lock("b")).Do(context.Background(), func(ctx context.Context) error {
				ran++
				return ctx.Err()
			})
		}()
		synctest.Wait()
		mustBreak(t, m, "a")
		synctest.Wait()
		mustRelease(t, b)
		if err := <-done; err != nil || ran != 1 {
			t.Errorf("ran %d times: %v", ran, err)
		}
	})
}

func TestDoOverAllJoinsTheLossThatEndedIt(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		err := m.All(m.Lock("a"), m.Lock("b"), m.Lock("c")).Do(context.Background(), func(ctx context.Context) error {
			mustBreak(t, m, "b")
			<-ctx.Done()
			mustBreak(t, m, "a", "c")
			return nil
		})
		if got := losses(err); len(got) != 1 || got[0].Name != "b" {
			t.Errorf("got %v", err)
		}
	})
}

func TestAllCancelledAfterALossReportsTheCancellationAlone(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		b := mustAcquire(t, other.Lock("b"))
		w := start(m.All(m.Lock("a"), m.Lock("b")))
		mustBreak(t, m, "a")
		w.stillWaiting(t)
		w.cancel(nil)
		if w.waiting() || !errors.Is(w.err, context.Canceled) || errors.Is(w.err, ErrLost) || errors.Is(w.err, errPartLost) {
			t.Errorf("got %v", w.err)
		}
		wantFree(t, m.Lock("a"))
		mustRelease(t, b)
	})
}

func TestAllThatLosesAPartToCloseFailsWithErrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(memory.New())
		if err != nil {
			t.Fatal(err)
		}
		b := mustAcquire(t, m.Lock("b"))
		w := start(m.All(m.Lock("a"), m.Lock("b")))
		closed := make(chan error)
		go func() { closed <- m.Close(context.Background()) }()
		if w.waiting() || !errors.Is(w.err, ErrClosed) || errors.Is(w.err, ErrLost) {
			t.Errorf("got %v", w.err)
		}
		wantLost(t, b.Release(), ByClose)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// Parts that expire because renewals fail are taken again. If the store does not answer at all, the
// All fails with ErrUnavailable.
func TestAllWhosePartsExpireWhileItWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(context.Context, string) error
		want  error
	}{
		{"renewals fail", only("renew", hang), nil},
		{"all fails", func(context.Context, string) error { return errors.New("down") }, ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				m, other := newManager(t, f), newManager(t, f.peer())
				b := mustAcquire(t, other.Lock("b"))
				w := start(m.All(m.Lock("a"), m.Lock("b")))
				first := f.count("acquire") + f.count("try")
				f.set(c.fault, nil)
				ctx, cancel := context.WithTimeout(context.Background(), 2*DefaultTTL)
				defer cancel()
				select {
				case <-w.done:
				case <-ctx.Done():
				}
				f.set(nil, nil)
				mustRelease(t, b)
				<-w.done
				if !errors.Is(w.err, c.want) || errors.Is(w.err, ErrLost) {
					t.Fatalf("got %v", w.err)
				}
				if c.want == nil {
					if f.count("acquire") == first {
						t.Error("nothing expired")
					}
					mustRelease(t, w.granted(t))
				}
			})
		})
	}
}

func TestLimitOfAnAllCountsFromItsLastPart(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		c := mustAcquire(t, m.Lock("c"))
		outer := mustAcquire(t, m.Lock("a"))
		all := m.All(m.Lock("a").Reentrant(), m.Lock("b"), m.Lock("c"))
		w := startWith(outer.Context(), all, HoldAtMost(3*time.Second))
		sleep(10 * time.Second)
		mustRelease(t, c)
		l := w.granted(t)
		begin := time.Now()
		<-l.Context().Done()
		if d := time.Since(begin); d != 3*time.Second {
			t.Errorf("lost after %v", d)
		}
		wantLost(t, l.Release(), MaxHold)
		sleep(time.Second)
		mustRelease(t, outer) // it has no part in the All
	})
}

func TestAcquireOfAnAllNeverFailsWithALoss(t *testing.T) {
	m := newManager(t, memory.New())
	names := []string{"a", "b", "c", "d"}
	ctx, cancel := context.WithCancel(context.Background())
	var wg, breaker sync.WaitGroup
	breaker.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			mustBreak(t, m, names[i%len(names)])
		}
	})
	for g := range 6 {
		rnd := rand.New(rand.NewPCG(7, uint64(g)))
		wg.Go(func() {
			for range 300 {
				p := rnd.Perm(len(names))[:3]
				l, err := m.All(m.Lock(names[p[0]]), m.Lock(names[p[1]]), m.Lock(names[p[2]])).Acquire(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				_ = l.Release()
			}
		})
	}
	wg.Wait()
	cancel()
	breaker.Wait()
	for _, n := range names {
		wantFree(t, m.Lock(n))
	}
}

// A store that grants too late for the TTL, again and again, is no reason to ask without end.
func TestAllThatIsGrantedTooLateFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(nil, only("acquire", slow(DefaultTTL)))
		_, err := m.All(m.Lock("a"), m.Lock("b")).Acquire(context.Background())
		wantErr(t, err, ErrUnavailable)
		if n := f.count("acquire"); n != 2 {
			t.Errorf("%d requests; want 2", n)
		}
		if c := m.Stats().Totals; c.Failed != 1 {
			t.Errorf("%d failed", c.Failed)
		}
		f.set(nil, nil)
		wantFree(t, m.All(m.Lock("a"), m.Lock("b")))
	})
}

// A store that finds a part at the end of its queue gives up the others: the All asks again.
func TestAllThatTheStoreRequeuesAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requeued := 0
		m := newManager(t, &intercept.Backend{Backend: memory.New(), OnStart: func(op *backends.Op, start func(*backends.Op) backends.Work) backends.Work {
			if len(op.Acquire) > 1 && requeued < 2 {
				requeued++
				op.Acquire[1].Notify(backends.Event{Type: backends.Requeued})
				return func(context.Context) { op.Fail(fmt.Errorf("%w: %w", ErrUnavailable, backends.ErrRequeued)) }
			}
			return start(op)
		}})
		mustRelease(t, mustAcquire(t, m.All(m.Lock("a"), m.Lock("b"))))
		if c := m.Stats().Totals; requeued != 2 || c.Requeued != 2 || c.Failed != 0 {
			t.Errorf("requeued %d times: %+v", requeued, c)
		}
	})
}

// An All that waited in this process before the store was asked for it has its request sent by a task, whose time is not
// that of the caller: when it is over, the store is out of reach, and the caller's context has not ended.
func TestAllWhoseStoreDoesNotAnswerATaskIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, &intercept.Backend{Backend: memory.New(), OnStart: func(op *backends.Op, start func(*backends.Op) backends.Work) backends.Work {
			if len(op.Acquire) < 2 {
				return start(op)
			}
			start(&backends.Op{Release: op.Release, Released: op.Released})
			return func(ctx context.Context) {
				<-ctx.Done()
				op.Fail(backends.Ended(ctx))
			}
		}})
		a := mustAcquire(t, m.Lock("a"))
		w := start(m.All(m.Lock("a"), m.Lock("b")))
		w.stillWaiting(t)
		mustRelease(t, a)
		<-w.done
		wantErr(t, w.err, ErrUnavailable)
	})
}

// Re-entrant leases on a part may be released while the All is.
func TestReentrantLeasesAreReleasedBesideTheirAll(t *testing.T) {
	m := newManager(t, memory.New())
	for range 200 {
		all := mustAcquire(t, m.All(m.Lock("a"), m.Lock("b")))
		var wg sync.WaitGroup
		for range 4 {
			inner := acquireUnder(t, all.Context(), m.Lock("a").Reentrant())
			wg.Go(func() { mustRelease(t, inner) })
		}
		wg.Go(func() { mustRelease(t, all) })
		wg.Wait()
	}
	wantFree(t, m.All(m.Lock("a"), m.Lock("b")))
}
