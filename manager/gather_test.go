package manager

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
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
	bubble(t, func(t *testing.T, m *Manager) {
		c := mustAcquire(t, m.Lock("c"))
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

// The parts after a lost one are released before it is taken again, lest two Alls block each other.
func TestPartsAreTakenAgainInTheOrderOfNames(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		d := mustAcquire(t, m.Lock("d"))
		w := start(m.All(m.Lock("a"), m.Lock("b"), m.Lock("c"), m.Lock("d")))
		other := start(m.All(m.Lock("b"), m.Lock("c")))
		other.stillWaiting(t)
		mustBreak(t, m, "b")
		l := other.granted(t)
		wantBusy(t, m.Lock("a")) // a comes before the lost part
		w.stillWaiting(t)
		mustRelease(t, l, d)
		mustRelease(t, w.granted(t))
	})
}

func TestDoOverAllRunsItsFunctionAlthoughAPartWasLostBefore(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		b := mustAcquire(t, m.Lock("b"))
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

// The end of a part that was taken again may be reported late, during the wait for a later part.
func TestLateReportOfAnEndedPartOnlyRestartsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		b := mustAcquire(t, m.Lock("b"))
		g := &gather{}
		var held []*Lease
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			held, err = g.take(context.Background(), []Claim{m.Lock("a"), m.Lock("b")}, order{from: context.Background()})
		}()
		synctest.Wait()
		g.partEnded(ErrReleased)
		synctest.Wait()
		mustRelease(t, b)
		<-done
		if err != nil || intact(held) != 2 {
			t.Errorf("%d parts are held: %v", intact(held), err)
		}
		_ = releaseParts(held)
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
	bubble(t, func(t *testing.T, m *Manager) {
		b := mustAcquire(t, m.Lock("b"))
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
					if f.count("acquire")+f.count("try") == first {
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
