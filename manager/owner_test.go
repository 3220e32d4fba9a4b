package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestNestedAcquireOfTheSameNameIsADeadlockAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		child := context.WithValue(l.Context(), key{}, "v")
		_, err := m.Lock("db").Acquire(child)
		var dead *DeadlockError
		if !errors.As(err, &dead) || !errors.Is(err, ErrDeadlock) || !slices.Equal(dead.Cycle, []string{"db"}) {
			t.Errorf("got %v", err)
		}
		other, err := m.Lock("other").Acquire(child) // another name is no matter
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Lock("db").Acquire(other.Context()) // over two steps
		wantErr(t, err, ErrDeadlock)
		_, err = m.Lock("db").TryAcquire(other.Context())
		wantErr(t, err, ErrDeadlock)
		_, err = m.All(m.Lock("a"), m.Lock("db")).Acquire(other.Context())
		wantErr(t, err, ErrDeadlock)
		wantFree(t, m.Lock("a"))
		mustRelease(t, l)
		again, err := m.Lock("db").Acquire(other.Context()) // it is not held any more
		if err != nil {
			t.Fatal(err)
		}
		mustRelease(t, again, other)

		err = m.Lock("db").Do(context.Background(), func(ctx context.Context) error {
			return m.Lock("db").Do(ctx, func(context.Context) error { return nil })
		})
		wantErr(t, err, ErrDeadlock)
	})
}

func TestNestedUpgradeOfAReaderIsADeadlock(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		r := mustAcquire(t, m.RWLock("rw").Read())
		for _, c := range []Claim{m.RWLock("rw").Write(), m.RWLock("rw").Write().Reentrant()} {
			_, err := c.Acquire(r.Context())
			wantErr(t, err, ErrDeadlock)
		}
		mustRelease(t, r)
	})
}

func TestFurtherPermitsMayBeHadWhileTheyExist(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		s := m.Semaphore("s", 3)
		a := mustAcquire(t, s.Permits(1))
		b, err := s.Permits(2).Acquire(a.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Permits(1).Acquire(b.Context()) // they are all the caller's own
		wantErr(t, err, ErrDeadlock)
		_, err = s.Permits(1).TryAcquire(b.Context()) // and a try can never succeed, so it is a mistake too
		wantErr(t, err, ErrDeadlock)
		mustRelease(t, b)
		b = mustAcquire(t, s.Permits(1))
		_, err = s.Permits(2).TryAcquire(a.Context()) // that others hold the rest may change
		wantErr(t, err, ErrBusy)
		mustRelease(t, a, b)
	})
}

func TestReentrantClaimSharesTheGrantUntilTheLastRelease(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		c := m.Lock("db").Reentrant()
		outer := mustAcquire(t, c)
		inner, err := c.Acquire(outer.Context())
		if err != nil {
			t.Fatal(err)
		}
		third, err := c.TryAcquire(inner.Context())
		if err != nil {
			t.Fatal(err)
		}
		if inner.Token() != outer.Token() || third.Token() != outer.Token() || inner == outer {
			t.Errorf("tokens %d %d %d", outer.Token(), inner.Token(), third.Token())
		}
		mustRelease(t, third, third)
		wantBusy(t, other.Lock("db"))
		mustRelease(t, outer) // out of order
		if !inner.Valid() || outer.Valid() {
			t.Error("the wrong one ended")
		}
		wantBusy(t, other.Lock("db"))
		again, err := c.Acquire(inner.Context())
		if err != nil {
			t.Fatal(err)
		}
		mustRelease(t, inner, again)
		wantFree(t, other.Lock("db"))
		if s := m.Stats(); s.Totals.Acquisitions != 4 || s.Totals.Releases != 4 || s.Holding != 0 {
			t.Errorf("stats: %+v", s.Totals)
		}
	})
}

func TestLossEndsAllLeasesOfAReentrantGrant(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		c := m.Lock("db").Reentrant()
		outer := mustAcquire(t, c)
		inner, err := c.Acquire(outer.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := start(m.Lock("db"))
		if err := m.Break(context.Background(), "db"); err != nil {
			t.Fatal(err)
		}
		<-inner.Context().Done()
		<-outer.Context().Done()
		wantLost(t, inner.Release(), Broken)
		w.stillWaiting(t) // outer may still be at work
		wantLost(t, outer.Release(), Broken)
		mustRelease(t, w.granted(t))
		if s := m.Stats(); s.Totals.Lost != 2 {
			t.Errorf("stats: %+v", s.Totals)
		}
	})
}

func TestReentrantAllSharesItsParts(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		c := m.All(m.Lock("a"), m.Lock("b")).Reentrant()
		outer := mustAcquire(t, c)
		inner, err := c.Acquire(outer.Context())
		if err != nil {
			t.Fatal(err)
		}
		wider, err := m.All(c, m.Lock("c")).Acquire(inner.Context())
		if err != nil {
			t.Fatal(err)
		}
		mustRelease(t, outer, wider)
		wantFree(t, other.Lock("c"))
		wantBusy(t, other.Lock("a"))
		mustRelease(t, inner)
		wantFree(t, other.Lock("a"))
		wantFree(t, other.Lock("b"))
	})
}

// The lease ends after the caller looked at it and before its keeper handles the re-entry. The
// claim is then acquired as if it had not been held.
func TestReentryIntoAGrantThatEndsMeanwhileIsAnAcquireOfItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		c := m.Lock("db").Reentrant()
		for _, end := range []func(*Lease){
			func(l *Lease) { mustRelease(t, l) },
			func(*Lease) { mustBreak(t, m, "db") },
		} {
			l := mustAcquire(t, c)
			end(l)
			synctest.Wait()
			_, err := c.reenter(l.req, &intent{from: context.Background()})
			if !errors.Is(err, ErrReleased) && !errors.Is(err, ErrLost) {
				t.Errorf("got %v", err)
			}
			again, err := c.nested(&intent{}, []*lease{{req: l.req}})
			if again != nil || err != nil {
				t.Errorf("got %v, %v", again, err)
			}
			_ = l.Release()
		}
		if n := m.Stats().Totals.Failed; n != 0 {
			t.Errorf("%d failed", n)
		}
	})
}

func TestContextsOfManagersDoNotMix(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		ctx, cancel := context.WithTimeout(l.Context(), time.Second)
		defer cancel()
		_, err := b.Lock("db").Acquire(ctx) // another manager, as another process: it can only wait
		wantErr(t, err, context.DeadlineExceeded)
		mustRelease(t, l)
	})
}

// An All finds what its caller holds of each of its names in one look at all that it holds.
func TestAllFindsWhatItsCallerHoldsOfEachName(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		ctx := t.Context()
		for i := range 30 {
			m := []*Manager{a, b}[i%2]
			parts := []Claim{m.Semaphore(fmt.Sprint("s", i%4), 30).Permits(1), m.Lock(fmt.Sprint("m", i))}
			c := parts[i%3%2]
			if i%5 == 0 {
				c = m.All(parts...)
			}
			l := acquireUnder(t, ctx, c)
			defer mustRelease(t, l)
			ctx = l.Context()
		}
		var all []Claim
		for i := range 30 {
			all = append(all, a.Semaphore(fmt.Sprint("s", i), 30).Permits(1), a.Lock(fmt.Sprint("m", i)))
		}
		claim := a.All(all...)
		claims, err := claim.merged()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for i, has := range holder(ctx).onEach(claims) {
			if want := holder(ctx).on(&claims[i]); !slices.Equal(has, want) {
				t.Errorf("%q: %d leases, want %d", claims[i].name, len(has), len(want))
			}
			found += len(has)
		}
		if found == 0 {
			t.Error("nothing found")
		}
	})
}
