package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// runTurns releases the lease and then every waiter in turn, as they are granted, and returns the order of the names.
func runTurns(t *testing.T, first *Lease, a, b []*waiter) string {
	t.Helper()
	order, l := "", first
	last := l.Token()
	for len(a)+len(b) > 0 {
		mustRelease(t, l)
		synctest.Wait()
		switch {
		case len(a) > 0 && !a[0].waiting():
			l, a, order = a[0].granted(t), a[1:], order+"a"
		case len(b) > 0 && !b[0].waiting():
			l, b, order = b[0].granted(t), b[1:], order+"b"
		default:
			t.Fatalf("nobody was granted after %q", order)
		}
		if l.Token() <= last {
			t.Fatalf("token %d after %d", l.Token(), last)
		}
		last = l.Token()
	}
	mustRelease(t, l)
	return order
}

func many(n int, c Claim) (ws []*waiter) {
	for range n {
		ws = append(ws, start(c))
	}
	return ws
}

func TestLocalHandoffsAreBoundedOnceAnotherProcessWaits(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		order := runTurns(t, l, many(7, a.Lock("db")), many(2, b.Lock("db")))
		if order != "aaabbaaaa" { // b hands on as well, to its second
			t.Errorf("order %q", order)
		}
	}, WithLocalHandoffs(3, time.Minute))
}

func TestLocalHandoffsEndAfterTheTimeAllowed(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		as, bs := many(4, a.Lock("db")), many(1, b.Lock("db"))
		mustRelease(t, l)
		l = as[0].granted(t)
		sleep(2 * time.Second)
		if order := runTurns(t, l, as[1:], bs); order != "baaa" {
			t.Errorf("order %q", order)
		}
	}, WithLocalHandoffs(100, time.Second))
}

func TestWithoutHandoffsTheStoreDecidesEachGrant(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		order := runTurns(t, l, many(3, a.Lock("db")), many(3, b.Lock("db")))
		if order != "bababa" && order != "ababab" {
			t.Errorf("order %q", order)
		}
		if n := a.Stats().Totals.Handoffs + b.Stats().Totals.Handoffs; n != 0 {
			t.Errorf("%d hand-offs", n)
		}
	}, WithLocalHandoffs(0, 0))
}

func TestNothingIsHandedOnWithLessThanTheMinimumLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		f.set(only("renew", hang), nil)
		w := start(m.Lock("db"))
		synctest.Wait()
		// Still valid for the holder, but no more than the minimum for another.
		sleep(time.Until(l.ValidUntil()) - DefaultTTL/marginPart - DefaultTTL/minimumPart)
		if !l.Valid() {
			t.Fatal("lost too early")
		}
		acquires := f.count("acquire")
		mustRelease(t, l)
		next := w.granted(t)
		if f.count("acquire") != acquires+1 {
			t.Error("not asked of the store")
		}
		if next.ValidUntil().Sub(l.ValidUntil()) < DefaultTTL/2 {
			t.Error("handed on under the old grant")
		}
		if next.Token() <= l.Token() {
			t.Errorf("token %d after %d", next.Token(), l.Token())
		}
		mustRelease(t, next)
	})
}

// Hand-offs inside a process cost the store nearly nothing: tokens come in blocks that grow, ordered ahead of need.
func TestHandoffsNeedFewCallsOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(slow(100*time.Microsecond), nil)
		m := newManager(t, f)
		const goroutines, rounds = 64, 200
		contendInBubble(t, m, goroutines, rounds)
		calls := 0
		for _, op := range []string{"acquire", "try", "renew", "release"} {
			calls += f.count(op)
		}
		if calls > goroutines*rounds/100 {
			t.Errorf("%d calls for %d grants", calls, goroutines*rounds)
		}
		t.Logf("%d calls for %d grants", calls, goroutines*rounds)
	})
}

func contendInBubble(t *testing.T, m *Manager, goroutines, rounds int) {
	t.Helper()
	done := make(chan struct{})
	inside := 0 // under the lock
	var last uint64
	for range goroutines {
		go func() {
			defer func() { done <- struct{}{} }()
			for range rounds {
				l := mustAcquire(t, m.Lock("db"))
				if inside++; inside != 1 || l.Token() <= last {
					t.Errorf("%d inside, token %d after %d", inside, l.Token(), last)
				}
				last = l.Token()
				inside--
				mustRelease(t, l)
			}
		}()
	}
	for range goroutines {
		<-done
	}
}

// When tokens run out the grant waits for more; whoever leaves meanwhile leaves nothing behind.
func TestGrantParkedForTokensIsGivenBackWhenNobodyWaitsAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db")) // with one token
		f.set(only("renew", slow(time.Second)), nil)
		w := start(m.Lock("db"))
		mustRelease(t, l)
		w.stillWaiting(t)
		if f.held("db") != 1 {
			t.Error("not parked")
		}
		w.cancel(nil)
		w.waiting()
		synctest.Wait()
		if f.held("db") != 0 {
			t.Error("kept for nobody")
		}
		mustRelease(t, mustAcquire(t, m.Lock("db")))
		sleep(2 * time.Second) // the tokens come, for nobody
		mustRelease(t, mustAcquire(t, m.Lock("db")))
	})
}

func TestParkedGrantGoesBackWhenTheTokensFail(t *testing.T) {
	reset := func(context.Context, string) error { return errors.New("reset by peer") }
	for name, fault := range map[string]func(context.Context, string) error{"late": hang, "at once": reset} {
		t.Run(name, func(t *testing.T) { parkedGrantGoesBack(t, fault) })
	}
}

func parkedGrantGoesBack(t *testing.T, fault func(context.Context, string) error) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		slowly := slow(time.Second) // so that the release comes first
		f.set(only("renew", func(ctx context.Context, op string) error {
			if err := slowly(ctx, op); err != nil {
				return err
			}
			return fault(ctx, op)
		}), nil)
		w := start(m.Lock("db"))
		mustRelease(t, l)
		w.stillWaiting(t)
		<-w.done // under a new grant
		next := w.granted(t)
		if next.Token() <= l.Token() {
			t.Errorf("token %d after %d", next.Token(), l.Token())
		}
		if n := f.count("renew"); n != 1 {
			t.Errorf("asked %d times for tokens", n)
		}
		f.set(nil, nil)
		mustRelease(t, next)
	})
}

func TestValidityNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newManager(t, newFake()).keeper("db")
		g := &grant{}
		late := time.Now().Add(time.Minute)
		k.prolong(g, late)
		valid, due := g.valid, g.renewAt
		k.prolong(g, late.Add(-time.Second)) // an earlier attempt, answered later
		if g.valid != valid || g.renewAt != due || !g.ValidUntil.Equal(late) {
			t.Errorf("valid for %v, was %v", time.Duration(g.valid), time.Duration(valid))
		}
	})
}

func TestWriterBehindWriterIsHandedOnReadersAreAskedFor(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		w1 := mustAcquire(t, a.RWLock("rw").Write())
		w2, r1, r2, w3 := start(a.RWLock("rw").Write()), start(a.RWLock("rw").Read()), start(a.RWLock("rw").Read()), start(a.RWLock("rw").Write())
		mustRelease(t, w1)
		l2 := w2.granted(t)
		r1.stillWaiting(t)
		mustRelease(t, l2)
		l3, l4 := r1.granted(t), r2.granted(t)
		w3.stillWaiting(t)
		if s, _ := b.Inspect(context.Background(), "rw"); len(s.Holders) != 2 {
			t.Errorf("readers share a grant: %+v", s.Holders)
		}
		mustRelease(t, l3, l4)
		mustRelease(t, w3.granted(t))
		if n := a.Stats().Totals.Handoffs; n != 1 {
			t.Errorf("%d hand-offs, want 1", n)
		}
	})
}

func TestGrantForACancelledWaiterGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := newManager(t, store), newManager(t, store.Peer())
		for range 2000 { // cancel and grant at once, in whatever order
			l := mustAcquire(t, b.Lock("db"))
			w1, w2 := start(a.Lock("db")), start(a.Lock("db"))
			go w1.cancel(nil)
			mustRelease(t, l)
			if !w1.waiting() && w1.lease != nil {
				mustRelease(t, w1.lease)
			}
			mustRelease(t, w2.granted(t))
		}
	})
}
