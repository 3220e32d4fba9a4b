package manager

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

func mustDetach(t testing.TB, l *Lease) Ticket {
	t.Helper()
	ticket, err := l.Detach(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func mustAdopt(t testing.TB, m *Manager, ticket Ticket) *Lease {
	t.Helper()
	l, err := m.Adopt(context.Background(), ticket)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The lease goes on under its token. Waiters of both processes wait on, in their order, until the
// adopter has released it.
func TestDetachedLeaseGoesOnElsewhere(t *testing.T) {
	for what, claim := range map[string]func(m *Manager) Claim{
		"lock":        func(m *Manager) Claim { return m.Lock("db") },
		"writer":      func(m *Manager) Claim { return m.RWLock("db").Write() },
		"all permits": func(m *Manager) Claim { return m.Semaphore("db", 3).Permits(3) },
	} {
		t.Run(what, func(t *testing.T) {
			twins(t, func(t *testing.T, a, b *Manager) {
				l := mustAcquire(t, claim(a))
				ctx := l.Context()
				ws := []*waiter{start(claim(a)), start(claim(b)), start(claim(a))}
				ticket := mustDetach(t, l)
				<-ctx.Done()
				if why := context.Cause(ctx); !errors.Is(why, ErrDetached) || !errors.Is(why, ErrReleased) {
					t.Errorf("the context ended with %v; want ErrDetached", why)
				}
				wantErr(t, l.Err(), ErrDetached)
				mustRelease(t, l, l)
				for _, w := range ws {
					w.stillWaiting(t)
				}
				n := mustAdopt(t, b, ticket)
				if n.Token() != l.Token() || !n.Valid() || n.Name() != "db" {
					t.Errorf("adopted %q with token %d; want token %d", n.Name(), n.Token(), l.Token())
				}
				mustRelease(t, l)
				wantBusy(t, claim(a))
				wantBusy(t, claim(b))
				for _, w := range ws {
					w.stillWaiting(t)
				}
				mustRelease(t, n)
				last := n.Token()
				for _, i := range []int{1, 0, 2} { // b stood before the store first
					w := ws[i]
					g := w.granted(t)
					if g.Token() <= last {
						t.Errorf("token %d after %d", g.Token(), last)
					}
					last = g.Token()
					mustRelease(t, g)
				}
			}, WithLocalHandoffs(0, 0))
		})
	}
}

// A process that hands a grant on from waiter to waiter detaches it under the token of the last one.
func TestDetachKeepsTheTokenOfAHandOff(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		ws := []*waiter{start(a.Lock("db")), start(a.Lock("db")), start(a.Lock("db"))}
		mustRelease(t, l)
		mustRelease(t, ws[0].granted(t))
		l = ws[1].granted(t)
		if row(a, "db").Handoffs == 0 {
			t.Fatal("nothing was handed on")
		}
		n := mustAdopt(t, b, mustDetach(t, l))
		if n.Token() != l.Token() {
			t.Errorf("token %d; want %d", n.Token(), l.Token())
		}
		ws[2].stillWaiting(t)
		mustRelease(t, n)
		if last := ws[2].granted(t); last.Token() <= n.Token() {
			t.Errorf("token %d after %d", last.Token(), n.Token())
		} else {
			mustRelease(t, last)
		}
	})
}

// Of readers and permits one is detached, the others stay.
func TestDetachOfOneOfSeveralHolders(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		for _, claim := range []func(m *Manager) Claim{
			func(m *Manager) Claim { return m.RWLock("index").Read() },
			func(m *Manager) Claim { return m.Semaphore("slots", 3).Permits(1) },
		} {
			l1, l2, l3 := mustAcquire(t, claim(a)), mustAcquire(t, claim(a)), mustAcquire(t, claim(b))
			n := mustAdopt(t, b, mustDetach(t, l2))
			if n.Token() != l2.Token() || !l1.Valid() || !l3.Valid() {
				t.Errorf("token %d, want %d; the others are valid: %v, %v", n.Token(), l2.Token(), l1.Valid(), l3.Valid())
			}
			mustRelease(t, l1, l3)
			all := a.RWLock("index").Write()
			if n.Name() == "slots" {
				all = a.Semaphore("slots", 3).Permits(3)
			}
			wantBusy(t, all)
			mustRelease(t, n)
			wantFree(t, all)
		}
	})
}

func TestTicketIsUsedOnce(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		refused := func(ticket Ticket) {
			t.Helper()
			for _, m := range []*Manager{a, b} {
				l, err := m.Adopt(context.Background(), ticket)
				if !errors.Is(err, ErrTicket) || l != nil {
					t.Errorf("Adopt = %v, %v; want ErrTicket", l, err)
				}
			}
		}
		ticket := mustDetach(t, mustAcquire(t, a.Lock("db")))
		n := mustAdopt(t, b, ticket)
		refused(ticket)
		again := mustDetach(t, n)
		refused(ticket)
		l := mustAdopt(t, a, again)
		refused(again)
		if !l.Valid() || l.Token() != n.Token() {
			t.Errorf("the lease is valid: %v, with token %d", l.Valid(), l.Token())
		}
		mustRelease(t, l)
		refused(ticket)
		refused(again)
		wantFree(t, b.Lock("db"))
	})
}

// What is detached is nobody's to end: neither a Release that comes late nor the end of its manager.
func TestDetachedLeaseOutlivesItsManager(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		ticket := mustDetach(t, l)
		closeManager(t, a)
		mustRelease(t, l)
		wantBusy(t, b.Lock("db"))
		_, err := l.Detach(context.Background())
		wantErr(t, err, ErrDetached)
		n := mustAdopt(t, b, ticket)
		mustRelease(t, n)
		wantFree(t, b.Lock("db"))
	})
}

// An error before the lease has ended leaves it as it was.
func TestDetachThatIsRefusedLeavesTheLease(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		var none context.Context
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		l := mustAcquire(t, m.Lock("db").Reentrant())
		nested := acquireUnder(t, l.Context(), m.Lock("db").Reentrant())
		both := mustAcquire(t, m.All(m.Lock("x"), m.Lock("y")))
		for what, call := range map[string]struct {
			lease *Lease
			ctx   context.Context
			want  error
		}{
			"nil context":             {both.Leases()[0], none, ErrInvalid},
			"ended context":           {both.Leases()[0], ended, context.Canceled},
			"all of several names":    {both, context.Background(), ErrInvalid},
			"the outer of two":        {l, context.Background(), ErrInvalid},
			"the inner of two":        {nested, context.Background(), ErrInvalid},
			"the zero Lease":          {new(Lease), context.Background(), ErrReleased},
			"a nil Lease":             {nil, context.Background(), ErrReleased},
			"a nil Lease, no context": {nil, none, ErrReleased},
		} {
			if ticket, err := call.lease.Detach(call.ctx); ticket != "" || !errors.Is(err, call.want) {
				t.Errorf("%s: %q, %v; want %v", what, ticket, err, call.want)
			}
		}
		if !l.Valid() || !nested.Valid() || !both.Valid() {
			t.Errorf("valid: %v, %v, %v", l.Valid(), nested.Valid(), both.Valid())
		}
		mustRelease(t, l)
		n := mustAdopt(t, m, mustDetach(t, nested)) // it is the only one now
		if n.Token() != l.Token() {
			t.Errorf("token %d; want %d", n.Token(), l.Token())
		}
		mustRelease(t, n, nested, both)
		wantFree(t, m.All(m.Lock("x"), m.Lock("y"), m.Lock("db")))
		_, err := both.Leases()[0].Detach(context.Background())
		wantErr(t, err, ErrReleased)
	})
}

// unable is a store that cannot detach.
type unable struct{ intercept.Backend }

func (u *unable) Capabilities() backends.Capabilities {
	c := u.Backend.Capabilities()
	c.Detach = false
	return c
}

func TestDetachAndAdoptAreUnsupportedWhereTheStoreCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		m := newManager(t, &unable{intercept.Backend{Backend: store}})
		able := newManager(t, store.Peer())
		l := mustAcquire(t, m.Lock("db"))
		_, err := l.Detach(context.Background())
		wantErr(t, err, ErrUnsupported)
		if !l.Valid() {
			t.Error("the lease has ended")
		}
		mustRelease(t, l)
		ticket := mustDetach(t, mustAcquire(t, able.Lock("db")))
		_, err = m.Adopt(context.Background(), ticket)
		wantErr(t, err, ErrUnsupported)
		mustRelease(t, mustAdopt(t, able, ticket))
	})
}

// A part of an All goes on elsewhere; the All ends, and the other parts are its holder's to release.
func TestDetachOfAPartEndsTheAll(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		all := mustAcquire(t, a.All(a.Lock("x"), a.Lock("y"), a.Lock("z")))
		part := all.Leases()[1]
		ticket := mustDetach(t, part)
		wantErr(t, all.Err(), ErrDetached)
		wantErr(t, context.Cause(all.Context()), ErrDetached)
		wantBusy(t, b.Lock("x"))
		mustRelease(t, all, part)
		wantFree(t, b.All(b.Lock("x"), b.Lock("z")))
		wantBusy(t, b.Lock("y"))
		n := mustAdopt(t, b, ticket)
		if n.Token() != part.Token() {
			t.Errorf("token %d; want %d", n.Token(), part.Token())
		}
		mustRelease(t, n)
		wantFree(t, a.Lock("y"))
	})
}

func TestDetachInDo(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		var ticket Ticket
		err := a.Lock("db").Do(context.Background(), func(ctx context.Context) (err error) {
			ticket, err = LeaseFrom(ctx).Detach(ctx)
			wantErr(t, context.Cause(ctx), ErrDetached)
			return err
		})
		if err != nil {
			t.Errorf("Do: %v", err)
		}
		wantBusy(t, a.Lock("db"))
		mustRelease(t, mustAdopt(t, b, ticket))
		wantFree(t, a.Lock("db"))
	})
}

// A lease that has been lost is not detached, whether or not its holder has heard of it.
func TestDetachOfALostLease(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		if err := b.Break(context.Background(), "db"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, err := l.Detach(context.Background())
		wantLost(t, err, Broken)
		wantLost(t, l.Release(), Broken)
		wantFree(t, b.Lock("db"))
	})
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		f.forget() // without news of it
		_, err := l.Detach(context.Background())
		wantLost(t, err, NotOwner)
		wantLost(t, l.Err(), NotOwner)
		if s := m.Stats().Totals; s.Lost != 1 || s.Releases != 0 || s.LostBy[NotOwner] != 1 {
			t.Errorf("stats: %+v", s)
		}
		wantFree(t, m.Lock("db"))
	})
}

// A ticket that nobody uses, and a lease that waits to be adopted while others wait for it.
func TestDetachedLeaseThatIsNotAdoptedEndsAfterTheTTL(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		sleep(time.Minute)
		began := time.Now()
		ticket := mustDetach(t, l)
		w := start(b.Lock("db"))
		<-w.done
		if passed := time.Since(began); passed != 10*time.Second {
			t.Errorf("granted to the next after %v; want 10 s", passed)
		}
		_, err := a.Adopt(context.Background(), ticket)
		wantErr(t, err, ErrTicket)
		mustRelease(t, w.granted(t))
	}, WithTTL(10*time.Second))
}

// What was to stay taken for a time does, from the grant on, whatever becomes of the lease.
func TestDetachedLeaseIsHeldAtLeast(t *testing.T) {
	for what, adopts := range map[string]bool{"adopted and released": true, "not adopted": false} {
		t.Run(what, func(t *testing.T) {
			twins(t, func(t *testing.T, a, b *Manager) {
				begin := time.Now()
				l := mustAcquire(t, a.Lock("job"), HoldAtLeast(time.Minute))
				sleep(time.Second)
				ticket := mustDetach(t, l)
				w := start(a.Lock("job"))
				if adopts {
					mustRelease(t, mustAdopt(t, b, ticket))
				}
				sleep(DefaultTTL + time.Second)
				_, err := b.Adopt(context.Background(), ticket)
				wantErr(t, err, ErrTicket)
				<-w.done
				if passed := time.Since(begin); passed != time.Minute {
					t.Errorf("granted to the next after %v; want a minute", passed)
				}
				mustRelease(t, w.granted(t))
			})
		})
	}
}

// A leader that has detached its lease leads no more.
func TestDetachedLeaderIsNone(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		var ticket Ticket
		err := a.Lead(context.Background(), "leader", func(ctx context.Context, _ uint64) (err error) {
			ticket, err = LeaseFrom(ctx).Detach(ctx)
			return err
		})
		wantErr(t, err, nil)
		_, err = b.Election("leader").Leader(context.Background())
		wantErr(t, err, ErrNoLeader)
		n := mustAdopt(t, b, ticket)
		if l, err := a.Election("leader").Leader(context.Background()); err != nil || l.Token != n.Token() {
			t.Errorf("the leader: %+v, %v", l, err)
		}
		mustRelease(t, n)
	})
}

func TestCountersOfADetachedLease(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		n := mustAdopt(t, b, mustDetach(t, l))
		_, err := b.Adopt(context.Background(), "lk1.nonsense")
		wantErr(t, err, ErrTicket)
		_, err = b.Adopt(context.Background(), mustDetach(t, n)[:40])
		wantErr(t, err, ErrTicket)
		for _, m := range []*Manager{a, b} {
			if s := m.Stats().Totals; s.Acquisitions != 1 || s.Releases != 1 || s.Lost != 0 || s.Failed != 0 {
				t.Errorf("stats: %+v; want one acquisition and one release", s)
			}
		}
	})
}

// A Release and two Detach at the same time: one of them ends the lease, and the others find that.
func TestDetachBesideRelease(t *testing.T) {
	store := memory.New()
	a, b := newManager(t, store), newManager(t, store.Peer())
	seen := map[bool]int{}
	for range 300 {
		l := mustAcquire(t, a.Lock("db"))
		var tickets [2]Ticket
		var errs [2]error
		var all sync.WaitGroup
		for i := range tickets {
			all.Go(func() { tickets[i], errs[i] = l.Detach(l.Context()) })
		}
		all.Go(func() { mustRelease(t, l) })
		all.Wait()
		for i, err := range errs {
			if (err == nil) != (tickets[i] != "") || err != nil && !errors.Is(err, ErrReleased) {
				t.Fatalf("Detach: %q, %v; want a ticket or ErrReleased", tickets[i], err)
			}
		}
		if tickets[0] != "" && tickets[1] != "" {
			t.Fatal("detached twice")
		}
		ticket := tickets[0] + tickets[1]
		if seen[ticket != ""]++; ticket != "" {
			wantBusy(t, a.Lock("db"))
			mustRelease(t, mustAdopt(t, b, ticket))
		}
		wantFree(t, b.Lock("db"))
	}
	t.Logf("released: %d, detached: %d", seen[false], seen[true])
}

// Many managers adopt one ticket at the same time, each more than once: one gets it.
func TestAdoptionsOfOneTicketAtTheSameTime(t *testing.T) {
	store := memory.New()
	a, b := newManager(t, store), newManager(t, store.Peer())
	for range 100 {
		l := mustAcquire(t, a.Semaphore("sem", 2).Permits(1))
		ticket := mustDetach(t, l)
		var leases [8]*Lease
		var errs [8]error
		var all sync.WaitGroup
		for i := range leases {
			m := a
			if i%2 == 0 {
				m = b
			}
			all.Go(func() { leases[i], errs[i] = m.Adopt(context.Background(), ticket) })
		}
		all.Wait()
		won := 0
		for i, n := range leases {
			if errs[i] == nil {
				won++
				mustRelease(t, n)
			} else if !errors.Is(errs[i], ErrTicket) {
				t.Error(errs[i])
			}
		}
		if won != 1 {
			t.Fatalf("%d adoptions of one ticket", won)
		}
		wantFree(t, b.Semaphore("sem", 2).Permits(2))
	}
}
