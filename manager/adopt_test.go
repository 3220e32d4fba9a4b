package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// A store in which grants expire: the adopter renews, and it alone.
func TestAdoptedLeaseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		g := f.peer()
		a, b := newManager(t, f), newManager(t, g)
		l := mustAcquire(t, a.Lock("db"))
		sleep(time.Minute)
		ticket := mustDetach(t, l)
		sleep(time.Second) // a renewal that was due may have waited for others
		old := f.count("renew")
		sleep(8 * time.Second) // of the 10 that it has there is one left
		begin := time.Now()
		n := mustAdopt(t, b, ticket)
		if until := n.ValidUntil(); until.After(begin.Add(DefaultTTL)) || until.Before(begin.Add(DefaultTTL/2)) {
			t.Errorf("valid for %v", until.Sub(begin))
		}
		w := start(a.Lock("db"))
		sleep(10 * DefaultTTL)
		w.stillWaiting(t)
		if !n.Valid() || n.Token() != l.Token() {
			t.Errorf("valid: %v; token %d, want %d", n.Valid(), n.Token(), l.Token())
		}
		if got := f.count("renew"); got != old {
			t.Errorf("the old manager has renewed %d times", got-old)
		}
		mustRelease(t, n)
		mustRelease(t, w.granted(t))
		if s := a.Stats().Totals; s.Lost != 0 {
			t.Errorf("stats: %+v; want nothing lost", s)
		}
	})
}

// A renewal of the old manager that comes to the store after the adoption touches nothing, and is
// no loss of anything.
func TestLateRenewalDoesNotTouchTheAdopter(t *testing.T) {
	for what, adopts := range map[string]bool{"before the adoption": false, "after it": true} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				a, b := newManager(t, f), newManager(t, f.peer())
				l := mustAcquire(t, a.Lock("db"))
				arrive, sent := make(chan struct{}), make(chan struct{}, 1)
				f.set(only("renew", func(context.Context, string) error {
					sent <- struct{}{}
					<-arrive
					return nil
				}), nil)
				<-sent // as due
				ticket := mustDetach(t, l)
				var n *Lease
				if adopts {
					n = mustAdopt(t, b, ticket)
				}
				close(arrive)
				synctest.Wait()
				f.set(nil, nil)
				if !adopts {
					n = mustAdopt(t, b, ticket)
				}
				sleep(3 * DefaultTTL)
				if !n.Valid() {
					t.Errorf("the adopter has lost the lease: %v", n.Err())
				}
				wantErr(t, l.Err(), ErrDetached)
				mustRelease(t, n)
				wantFree(t, a.Lock("db"))
				if s := a.Stats().Totals; s.Lost != 0 || s.Releases != 2 {
					t.Errorf("stats: %+v; want nothing lost", s)
				}
			})
		})
	}
}

// Detach of which the store has not heard, or whose answer was lost: the lease has ended here, and
// soon for everybody.
func TestDetachWithoutAnAnswer(t *testing.T) {
	lost := errors.New("connection reset")
	fail := only("detach", func(context.Context, string) error { return lost })
	for _, test := range []struct {
		what          string
		before, after func(context.Context, string) error
		free          time.Duration
	}{
		{"the request is lost", fail, nil, 0},
		{"the answer is lost", nil, fail, DefaultTTL},
		{"the request hangs", only("detach", hang), nil, DefaultReleaseTimeout},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				a, b := newManager(t, f), newManager(t, f.peer())
				l := mustAcquire(t, a.Lock("db"))
				f.set(test.before, test.after)
				begin := time.Now()
				ticket, err := l.Detach(l.Context())
				f.set(nil, nil)
				if ticket != "" || !errors.Is(err, ErrUnavailable) {
					t.Errorf("Detach: %q, %v; want ErrUnavailable", ticket, err)
				}
				wantErr(t, l.Err(), ErrDetached)
				mustRelease(t, l)
				w := start(b.Lock("db"))
				<-w.done
				if passed := time.Since(begin); passed != test.free {
					t.Errorf("free after %v; want %v", passed, test.free)
				}
				mustRelease(t, w.granted(t))
			})
		})
	}
}

func TestDetachEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		for _, byDeadline := range []bool{true, false} {
			l := mustAcquire(t, m.Lock("db"))
			f.set(only("detach", hang), nil)
			ctx, cancel := context.WithTimeout(l.Context(), time.Second)
			want := context.DeadlineExceeded
			if !byDeadline {
				ctx, cancel = context.WithCancel(context.Background())
				want = context.Canceled
				time.AfterFunc(time.Second, cancel)
			}
			begin := time.Now()
			_, err := l.Detach(ctx)
			wantErr(t, err, want)
			if passed := time.Since(begin); passed != time.Second {
				t.Errorf("Detach has returned after %v; want 1 s", passed)
			}
			cancel()
			f.set(nil, nil)
			synctest.Wait()
			wantFree(t, m.Lock("db"))
		}
	})
}

// Close waits for a detachment that is on its way, and does not end what was detached.
func TestCloseBesideDetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		a, b := newManager(t, f), newManager(t, f.peer())
		l := mustAcquire(t, a.Lock("db"))
		f.set(only("detach", slow(time.Second)), nil)
		var ticket Ticket
		go func() { ticket = mustDetach(t, l) }()
		synctest.Wait()
		begin := time.Now()
		closeManager(t, a)
		if passed := time.Since(begin); passed != time.Second {
			t.Errorf("closed after %v; want 1 s", passed)
		}
		synctest.Wait()
		mustRelease(t, mustAdopt(t, b, ticket))
	})
}

// A manager that is closed while it adopts gives the grant back.
func TestCloseBesideAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		g := f.peer()
		a, b := newManager(t, f), newManager(t, g)
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		g.set(nil, only("adopt", slow(time.Second)))
		done := make(chan error)
		go func() { _, err := b.Adopt(context.Background(), ticket); done <- err }()
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- b.Close(context.Background()) }()
		wantErr(t, <-done, ErrClosed)
		wantErr(t, <-closed, nil)
		wantFree(t, a.Lock("db"))
		_, err := b.Adopt(context.Background(), ticket)
		wantErr(t, err, ErrClosed)
	})
}

// A grant that comes too late to be of use is given back.
func TestAdoptionThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		g := f.peer()
		a, b := newManager(t, f), newManager(t, g)
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		g.set(nil, only("adopt", slow(9*time.Second)))
		l, err := b.Adopt(context.Background(), ticket)
		if l != nil || !errors.Is(err, ErrUnavailable) {
			t.Errorf("Adopt = %v, %v; want ErrUnavailable", l, err)
		}
		synctest.Wait()
		wantFree(t, a.Lock("db"))
	})
}

// A request of the adopter's process stands before the store when the grant is adopted, and keeps
// its place: it is neither served by the adopted grant nor overtaken.
func TestAdoptBesideAWaiterOfTheSameProcess(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		ws := []*waiter{start(b.Lock("db")), start(a.Lock("db")), start(b.Lock("db"))}
		n := mustAdopt(t, b, ticket)
		wantBusy(t, b.Lock("db"))
		for _, w := range ws {
			w.stillWaiting(t)
		}
		both := start(b.All(b.Lock("db"), b.Lock("other")))
		mustRelease(t, n)
		for _, w := range ws {
			mustRelease(t, w.granted(t))
		}
		mustRelease(t, both.granted(t))
		wantFree(t, a.Lock("db"))
	}, WithLocalHandoffs(0, 0))
}

// The same, but the adopted grant is broken under its holder: the waiter gets one of its own.
func TestAdoptedLeaseIsBrokenBesideAWaiter(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		w := start(b.Lock("db"))
		n := mustAdopt(t, b, ticket)
		if err := a.Break(context.Background(), "db"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantLost(t, n.Err(), Broken)
		l := w.granted(t)
		if l.Token() <= n.Token() {
			t.Errorf("token %d after %d", l.Token(), n.Token())
		}
		sleep(time.Minute)
		if !l.Valid() {
			t.Errorf("the waiter's lease: %v", l.Err())
		}
		mustRelease(t, l)
		wantLost(t, n.Release(), Broken)
		wantFree(t, a.Lock("db"))
	})
}

func TestAdoptedLeaseIsAnOwner(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		type key struct{}
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
		n, err := b.Adopt(ctx, ticket)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if n.Context().Err() != nil || n.Context().Value(key{}) != "value" || LeaseFrom(n.Context()) != n {
			t.Errorf("the context: %v, %v", n.Context().Err(), n.Context().Value(key{}))
		}
		_, err = b.Lock("db").Acquire(n.Context())
		wantErr(t, err, ErrDeadlock)
		inner := acquireUnder(t, n.Context(), b.Lock("db").Reentrant())
		if inner.Token() != n.Token() {
			t.Errorf("token %d; want %d", inner.Token(), n.Token())
		}
		mustRelease(t, n)
		wantBusy(t, a.Lock("db"))
		mustRelease(t, inner)
		wantFree(t, a.Lock("db"))
	})
}

func TestAdoptedLeaseHasTheLimitOfItsManager(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"), HoldAtMost(time.Second))
		sleep(time.Second / 2)
		n := mustAdopt(t, b, mustDetach(t, l))
		sleep(4 * time.Second)
		if !n.Valid() {
			t.Errorf("the limit of the old lease has ended the adopted one: %v", n.Err())
		}
		sleep(2 * time.Second)
		wantLost(t, n.Err(), MaxHold)
		wantLost(t, n.Release(), MaxHold)
	}, WithMaxHold(5*time.Second))
}

// A store that panics has told nothing: the error says that it is not available.
func TestStoreThatPanicsInDetachOrAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		panics := true
		broken := &intercept.Backend{
			Backend: store,
			OnDetach: func(ctx context.Context, d backends.Detachment, detach intercept.Detach) error {
				if panics {
					panic("detach")
				}
				return detach(ctx, d)
			},
			OnAdopt: func(context.Context, backends.Adoption, intercept.Adopt) (backends.Grant, error) {
				panic("adopt")
			},
		}
		m, other := newManager(t, broken), newManager(t, store.Peer())
		_, err := mustAcquire(t, m.Lock("db")).Detach(context.Background())
		wantErr(t, err, ErrUnavailable)
		synctest.Wait()
		wantFree(t, m.Lock("db"))
		panics = false
		ticket := mustDetach(t, mustAcquire(t, m.Lock("db")))
		_, err = m.Adopt(context.Background(), ticket)
		wantErr(t, err, ErrUnavailable)
		mustRelease(t, mustAdopt(t, other, ticket))
	})
}

func TestAdoptIsRefusedWithoutHarm(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		var none context.Context
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for want, ctx := range map[error]context.Context{ErrInvalid: none, context.Canceled: ended} {
			_, err := b.Adopt(ctx, ticket)
			wantErr(t, err, want)
		}
		_, err := (&Manager{}).Adopt(context.Background(), ticket)
		wantErr(t, err, ErrInvalid)
		mustRelease(t, mustAdopt(t, b, ticket))
		if s := b.Stats().Totals; s.Cancelled != 1 {
			t.Errorf("stats: %+v", s)
		}
	})
}

// The adopted lease belongs to the new process in all that is shown, and to the caller's owner.
func TestAdoptedLeaseIsOfItsAdopter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := newManager(t, store, WithLabel("a")), newManager(t, store.Peer(), WithLabel("b"))
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		label := func() backends.Holder {
			t.Helper()
			s, err := a.Inspect(context.Background(), "db")
			if err != nil || len(s.Holders) != 1 {
				t.Fatalf("%+v, %v", s, err)
			}
			return s.Holders[0]
		}
		if h := label(); h.Owner.Label != "a" || !h.Detached {
			t.Errorf("%+v; want it detached by a", h)
		}
		outer := mustAcquire(t, b.Lock("outer"))
		n, err := b.Adopt(outer.Context(), ticket)
		wantErr(t, err, nil)
		if h := label(); h.Owner.Label != "b" || h.Detached {
			t.Errorf("%+v; want it held by b", h)
		}
		_, err = b.Lock("outer").Acquire(n.Context())
		wantErr(t, err, ErrDeadlock)
		mustRelease(t, n, outer)
	})
}

// A loss that the store tells before it answers is a loss all the same.
func TestAdoptedLeaseIsBrokenBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a := newManager(t, store)
		b := newManager(t, &intercept.Backend{
			Backend: store.Peer(),
			OnAdopt: func(ctx context.Context, n backends.Adoption, adopt intercept.Adopt) (backends.Grant, error) {
				g, err := adopt(ctx, n)
				wantErr(t, store.Break(ctx, n.Name), nil)
				synctest.Wait()
				return g, err
			},
		})
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		w := start(b.Lock("db"))
		n := mustAdopt(t, b, ticket)
		synctest.Wait()
		wantLost(t, n.Err(), Broken)
		mustRelease(t, w.granted(t))
		wantLost(t, n.Release(), Broken)
		wantFree(t, a.Lock("db"))
	})
}

// The release of an adopted lease is no hand-off: another process that came first is served first,
// and nothing is kept for an idle process.
func TestReleaseOfAnAdoptedLeaseGoesToTheFirstThatWaits(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		mustRelease(t, mustAcquire(t, a.Lock("db"))) // the process idles on its grant
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		if row(a, "db").Handoffs == 0 {
			t.Fatal("the grant was not kept for an idle process")
		}
		first, second := start(a.Lock("db")), start(b.Lock("db"))
		n := mustAdopt(t, b, ticket)
		mustRelease(t, n)
		second.stillWaiting(t)
		mustRelease(t, first.granted(t))
		mustRelease(t, second.granted(t))
		sleep(time.Minute)

		n = mustAdopt(t, b, mustDetach(t, mustAcquire(t, a.Lock("db"))))
		mustRelease(t, n)
		if s, err := a.Inspect(context.Background(), "db"); err != nil || len(s.Holders) != 0 {
			t.Errorf("%+v, %v; want no holder", s, err)
		}
	}, WithIdleHold(time.Second))
}

// An Adopt is an acquire in all that is counted and traced, however it ends.
func TestAdoptCountsAndIsTraced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := newFake(), &recorder{}
		g := f.peer()
		a, b := newManager(t, f), newManager(t, g, WithTracer(r))
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		n := mustAdopt(t, b, ticket)
		r.wants(t, "Adopt", "1 start db", "1 end true")
		sleep(time.Second)
		again := mustDetach(t, n)
		r.wants(t, "Detach", "1 ended db after 1s")
		_, err := b.Adopt(context.Background(), ticket)
		wantErr(t, err, ErrTicket)
		r.wants(t, "a used ticket", "2 start db", "2 end failed")
		for want, ends := range map[error]func() (context.Context, context.CancelFunc){
			context.DeadlineExceeded: func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(context.Background(), time.Second)
			},
			context.Canceled: func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			},
		} {
			g.set(only("adopt", hang), nil)
			ctx, cancel := ends()
			_, err = b.Adopt(ctx, again)
			wantErr(t, err, want)
			cancel()
		}
		g.set(nil, nil)
		r.take()
		if s := b.Stats().Totals; s.Acquisitions != 1 || s.Releases != 1 || s.Failed != 1 || s.TimedOut != 1 || s.Cancelled != 1 || s.Lost != 0 {
			t.Errorf("%+v; want one of each", s)
		}
		mustRelease(t, mustAdopt(t, a, again))
	})
}
