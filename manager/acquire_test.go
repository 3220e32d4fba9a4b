package manager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestAcquiredLeaseExcludesOthersUntilItsRelease(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		if l.Name() != "db" || l.Token() == 0 || !l.Valid() || !l.ValidUntil().IsZero() {
			t.Errorf("got %q token %d valid %v until %v", l.Name(), l.Token(), l.Valid(), l.ValidUntil())
		}
		wantBusy(t, a.Lock("db"))
		wantBusy(t, b.Lock("db"))
		mustRelease(t, l)
		wantFree(t, a.Lock("db"))
		wantFree(t, b.Lock("db"))
	})
}

func TestTokensIncreaseOverHoldersAndManagers(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		var last uint64
		for i := range 100 {
			l := mustAcquire(t, []*Manager{a, b}[i%2].Lock("db"))
			if l.Token() <= last {
				t.Fatalf("token %d after %d", l.Token(), last)
			}
			last = l.Token()
			mustRelease(t, l)
		}
	})
}

func TestBadArgumentsAreRefusedAndChangeNothing(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx := context.Background()
		var none context.Context
		for _, c := range []struct {
			what  string
			claim Claim
			ctx   context.Context
			want  error
		}{
			{"zero claim", Claim{}, ctx, ErrInvalid},
			{"nil context", m.Lock("a"), none, ErrInvalid},
			{"empty name", m.Lock(""), ctx, ErrInvalidName},
			{"long name", m.Lock(strings.Repeat("x", 1025)), ctx, ErrInvalidName},
			{"no permits", m.Semaphore("a", 3).Permits(0), ctx, ErrInvalid},
			{"negative permits", m.Semaphore("a", 3).Permits(-1), ctx, ErrInvalid},
			{"too many permits", m.Semaphore("a", 3).Permits(4), ctx, ErrTooLarge},
			{"zero capacity", m.Semaphore("a", 0).Permits(1), ctx, ErrInvalid},
			{"huge capacity", m.Semaphore("a", 1<<62).Permits(1), ctx, ErrInvalid},
			{"zero value in All", m.All(m.Lock("a"), Claim{}), ctx, ErrInvalid},
			{"bad name in All", m.All(m.Lock("a"), m.Lock("")), ctx, ErrInvalidName},
		} {
			l, err := c.claim.Acquire(c.ctx)
			if l != nil || !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, %v, want %v", c.what, l, err, c.want)
			}
		}
		_, err := m.Lock("a").Acquire(ctx, HoldAtMost(-1))
		wantErr(t, err, ErrInvalid)
		_, err = m.Lock("a").Acquire(ctx, AcquireOption{})
		wantErr(t, err, ErrInvalid)
		wantErr(t, m.Lock("a").Do(ctx, nil), ErrInvalid)
		if s := m.Stats(); len(s.Resources) != 0 || s.Totals != (Counters{}) {
			t.Errorf("something was left: %+v", s)
		}
	})
}

func TestAnyBytesAreANameAndDifferentBytesAreDifferent(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		names := []string{"a", "a ", ".", "..", "../a", "/etc/x", "a\x00", "a\n", "\xff\xfe", "{}", "a}b", "*", "‮", strings.Repeat("n", 1024)}
		var ls []*Lease
		for _, n := range names {
			ls = append(ls, mustAcquire(t, m.Lock(n)))
		}
		if s := m.Stats(); s.Holding != int64(len(names)) {
			t.Errorf("%d held, want %d", s.Holding, len(names))
		}
		mustRelease(t, ls...)
	})
}

func TestContextAlreadyDoneLosesToAFreeLock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx, cancel := context.WithCancelCause(context.Background())
		why := errors.New("why")
		cancel(why)
		for _, c := range []Claim{m.Lock("db"), m.All(m.Lock("db"), m.Lock("x"))} {
			l, err := c.Acquire(ctx)
			if l != nil || !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
				t.Errorf("got %v, %v", l, err)
			}
			_, err = c.TryAcquire(ctx)
			wantErr(t, err, context.Canceled)
		}
		wantFree(t, m.Lock("db"))
	})
}

func TestWaitersAreServedInTheOrderTheyCame(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		var ws []*waiter
		for range 100 {
			ws = append(ws, start(m.Lock("db")))
		}
		for i, w := range ws {
			w.stillWaiting(t)
			mustRelease(t, l)
			next := w.granted(t)
			if next.Token() <= l.Token() {
				t.Fatalf("waiter %d: token %d after %d", i, next.Token(), l.Token())
			}
			l = next
		}
		mustRelease(t, l)
		if r := row(m, "db"); r.Handoffs != 100 || r.Contended != 100 || r.Acquisitions != 101 || r.Releases != 101 {
			t.Errorf("counters: %+v", r.Counters)
		}
	})
}

func TestTryNeverOvertakesAWaiter(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Semaphore("s", 3).Permits(2))
		w := start(a.Semaphore("s", 3).Permits(3))
		wantBusy(t, a.Semaphore("s", 3).Permits(1)) // one is free
		wantBusy(t, b.Semaphore("s", 3).Permits(1))
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
		wantFree(t, b.Semaphore("s", 3).Permits(1))
	})
}

func TestCancelledWaiterLeavesNothingAndTheNextMovesUp(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		sem := func(m *Manager, n int64) Claim { return m.Semaphore("s", 10).Permits(n) }
		l := mustAcquire(t, sem(a, 1))
		big := start(sem(a, 10))
		small := start(sem(a, 1))
		other := start(sem(b, 1))
		small.stillWaiting(t)
		other.stillWaiting(t)
		why := errors.New("why")
		big.cancel(why)
		if big.waiting() || !errors.Is(big.err, context.Canceled) || !errors.Is(big.err, why) || !strings.Contains(big.err.Error(), "why") {
			t.Errorf("cancelled: %v", big.err)
		}
		mustRelease(t, small.granted(t), other.granted(t), l)
		if s := a.Stats(); s.Waiting != 0 || s.Totals.Cancelled != 1 {
			t.Errorf("stats: %+v", s)
		}
	})
}

func TestDeadlineEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := m.Lock("db").Acquire(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("waited %v", d)
		}
		synctest.Wait()
		if s := m.Stats(); s.Totals.TimedOut != 1 || s.Waiting != 0 {
			t.Errorf("stats: %+v", s)
		}
		mustRelease(t, l)
	})
}

func TestReadersShareAndWritersExclude(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		rw, other := a.RWLock("rw"), b.RWLock("rw")
		r1, r2, r3 := mustAcquire(t, rw.Read()), mustAcquire(t, rw.Read()), mustAcquire(t, other.Read())
		writer := start(rw.Write())
		late := start(rw.Read())
		later := start(other.Read())
		writer.stillWaiting(t)
		late.stillWaiting(t)
		later.stillWaiting(t)
		mustRelease(t, r1, r2, r3)
		w := writer.granted(t)
		late.stillWaiting(t)
		later.stillWaiting(t)
		mustRelease(t, w)
		mustRelease(t, late.granted(t), later.granted(t))
	})
}

func TestSameNameUsedInAnotherWayIsAMismatch(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Semaphore("x", 3).Permits(1))
		for _, c := range []Claim{
			a.Lock("x"), b.Lock("x"), a.RWLock("x").Read(), a.Semaphore("x", 5).Permits(1), b.Semaphore("x", 5).Permits(1),
		} {
			_, err := c.Acquire(context.Background())
			var mismatch *MismatchError
			if !errors.As(err, &mismatch) || mismatch.Have.Capacity != 3 || mismatch.Want.Capacity != c.cap {
				t.Errorf("got %v", err)
			}
		}
		mustRelease(t, l)
		wantFree(t, a.Lock("x"))
		wantFree(t, b.Semaphore("x", 5).Permits(5))
	})
}

// Grant and cancel meet at the same instant, over and over: whoever is told an error holds nothing, and whoever holds was told so.
func TestCancelRacesTheGrant(t *testing.T) {
	m := newManager(t, memory.New())
	rounds := 20_000
	if testing.Short() {
		rounds = 2_000
	}
	var cancelled, granted int
	for range rounds {
		l := mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithCancel(context.Background())
		got := make(chan *Lease, 1)
		go func() {
			l, _ := m.Lock("db").Acquire(ctx)
			got <- l
		}()
		go cancel()
		mustRelease(t, l)
		if l := <-got; l != nil {
			granted++
			mustRelease(t, l)
		} else {
			cancelled++
		}
		cancel()
		l = mustAcquire(t, m.Lock("db")) // nothing stands in the way
		mustRelease(t, l)
	}
	t.Logf("%d granted, %d cancelled", granted, cancelled)
}

func TestManyCancelledAcquiresLeaveNothing(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("db"))
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if _, err := a.Lock("db").Acquire(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		if w := a.Stats().Waiting; w != int64(n) {
			t.Errorf("%d wait, want %d", w, n)
		}
		cancel()
		wg.Wait()
		synctest.Wait()
		if s := a.Stats(); s.Waiting != 0 || s.Totals.Cancelled != uint64(n) {
			t.Errorf("waiting %d, cancelled %d", s.Waiting, s.Totals.Cancelled)
		}
		if st, err := a.Inspect(context.Background(), "db"); err != nil || len(st.Waiters) != 0 || len(st.Holders) != 1 {
			t.Errorf("store: %+v, %v", st, err)
		}
		mustRelease(t, l)
		sleep(time.Second)
		if ks, _ := a.dir.all(false); len(ks) != 0 {
			t.Errorf("%d keepers are left", len(ks))
		}
	})
}

func TestOneRequestStandsBeforeTheStoreHoweverManyWait(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, b.Lock("db"))
		var ws []*waiter
		for range 20 {
			ws = append(ws, start(a.Lock("db")))
		}
		st, err := b.Inspect(context.Background(), "db")
		if err != nil || len(st.Waiters) != 1 {
			t.Errorf("store: %+v, %v", st, err)
		}
		ws[0].cancel(nil) // the place in the store's queue goes to the next
		ws[0].waiting()
		after, _ := b.Inspect(context.Background(), "db")
		if len(after.Waiters) != 1 || after.Waiters[0].ID != st.Waiters[0].ID {
			t.Errorf("place lost: %+v, was %+v", after.Waiters, st.Waiters)
		}
		mustRelease(t, l)
		for _, w := range ws[1:] {
			mustRelease(t, w.granted(t))
		}
	})
}

func TestOwnerIsToldToTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		st, err := m.Inspect(context.Background(), "db")
		if err != nil || len(st.Holders) != 1 || st.Holders[0].Owner.Label != "billing" || st.Holders[0].Owner.PID == 0 {
			t.Errorf("store: %+v, %v", st, err)
		}
		n := 0
		for s, err := range m.List(context.Background()) {
			if err != nil || s.Resource.Name != "db" {
				t.Errorf("list: %+v, %v", s, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d resources in use, want 1", n)
		}
		mustRelease(t, l)
	}, WithLabel("billing"))
}

// An error of the store reaches everybody who waited for it; the next acquire asks again.
func TestUnavailableStoreIsToldToAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		down := errors.New("connection refused")
		f.set(func(ctx context.Context, op string) error {
			_ = slow(time.Second)(ctx, op)
			return down
		}, nil)
		ws := []*waiter{start(m.Lock("db")), start(m.Lock("db")), start(m.Lock("db"))}
		sleep(2 * time.Second)
		for _, w := range ws {
			if w.waiting() || !errors.Is(w.err, ErrUnavailable) || !errors.Is(w.err, down) || errors.Is(w.err, ErrBusy) {
				t.Errorf("got %v", w.err)
			}
		}
		_, err := m.Lock("db").TryAcquire(context.Background())
		wantErr(t, err, ErrUnavailable)
		f.set(nil, nil)
		mustRelease(t, mustAcquire(t, m.Lock("db")))
	})
}

// A store that does not answer keeps nobody beyond his context, and other names not at all.
func TestHangingStoreHoldsNobodyBeyondHisContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(only("acquire", hang), nil)
		m := newManager(t, f)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := m.Lock("db").Acquire(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("waited %v", d)
		}
		l, err := m.Lock("other").TryAcquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		mustRelease(t, l)
	})
}

// A million names, used once each, are gone soon after.
func TestNamesUsedOnceLeaveNothing(t *testing.T) {
	n := 1_000_000
	if testing.Short() || raceEnabled {
		n = 100_000
	}
	m := newManager(t, memory.New())
	for i := range n {
		mustRelease(t, mustAcquire(t, m.Lock(fmt.Sprint("name-", i))))
	}
	deadline := time.Now().Add(time.Minute)
	for {
		ks, past := m.dir.all(false)
		if len(ks) == 0 {
			if past.Acquisitions != uint64(n) {
				t.Errorf("%d acquisitions counted, want %d", past.Acquisitions, n)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d keepers are left", len(ks))
		}
		<-time.After(10 * time.Millisecond) // the sweep comes by the clock
	}
}

// Names come and go under the hands of their users: there is one keeper for a name at any time, so one holder.
func TestRetiringKeepersNeverGrantTwice(t *testing.T) {
	m := newManager(t, memory.New())
	const names = 50
	var inside [names]atomic.Int32
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2_000 {
				n := (i*7 + g) % names
				l := mustAcquire(t, m.Lock(fmt.Sprint(n)))
				if inside[n].Add(1) != 1 {
					t.Error("two holders")
				}
				inside[n].Add(-1)
				mustRelease(t, l)
				if i%50 == 0 { // as the caretaker would, at the worst moment
					k := m.keeper(fmt.Sprint(n))
					k.mail.Tell(sweep{})
					k.mail.Tell(sweep{}) // not used since the first
				}
			}
		})
	}
	wg.Wait()
	if s := m.Stats(); s.Totals.Acquisitions != 16_000 || s.Totals.Releases != 16_000 || s.Holding != 0 {
		t.Errorf("stats: %+v", s.Totals)
	}
}
