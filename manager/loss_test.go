package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestBrokenLeaseIsLostAtOnceAndForGood(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.Lock("db"))
		remote := start(b.Lock("db"))
		remote.stillWaiting(t)
		if err := b.Break(context.Background(), "db"); err != nil {
			t.Fatal(err)
		}
		next := remote.granted(t)
		<-l.Context().Done()
		wantLost(t, context.Cause(l.Context()), Broken)
		wantLost(t, l.Err(), Broken)
		wantLost(t, l.Release(), Broken)
		wantLost(t, l.Release(), Broken)
		if l.Valid() || next.Token() <= l.Token() || !next.Valid() {
			t.Errorf("valid %v, tokens %d, %d", l.Valid(), l.Token(), next.Token())
		}
		mustRelease(t, next)
		if s := a.Stats(); s.Totals.Lost != 1 || s.Totals.Releases != 0 {
			t.Errorf("stats: %+v", s.Totals)
		}
	})
}

// A holder that has lost the resource may still be at work. In its own process nobody enters before it has released or the stop
// margin has passed.
func TestNobodyEntersWhileAStrayMayStillRun(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		for _, releases := range []bool{true, false} {
			l := mustAcquire(t, m.Lock("db"))
			ws := []*waiter{start(m.Lock("db")), start(m.Lock("db"))}
			if err := m.Break(context.Background(), "db"); err != nil {
				t.Fatal(err)
			}
			ws = append(ws, start(m.Lock("db"))) // a newcomer does not get in either
			for _, w := range ws {
				w.stillWaiting(t)
			}
			wantBusy(t, m.Lock("db"))
			begin := time.Now()
			if releases {
				wantLost(t, l.Release(), Broken)
			} else {
				<-ws[0].done
				if d := time.Since(begin); d != time.Second {
					t.Errorf("entered after %v", d)
				}
			}
			next := ws[0].granted(t)
			if next.Token() <= l.Token() {
				t.Errorf("token %d after %d", next.Token(), l.Token())
			}
			mustRelease(t, next)
			mustRelease(t, ws[1].granted(t))
			mustRelease(t, ws[2].granted(t))
		}
	}, WithStopMargin(time.Second))
}

func TestMaxHoldEndsALease(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		begin := time.Now()
		l := mustAcquire(t, m.Lock("db"), HoldAtMost(2*time.Second))
		w := start(m.Lock("db"))
		<-l.Context().Done()
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("lost after %v", d)
		}
		wantLost(t, l.Err(), MaxHold)
		next := <-w.done
		_ = next
		if d := time.Since(begin); d != 3*time.Second { // the stop margin later, not earlier
			t.Errorf("the next entered after %v", d)
		}
		got := w.granted(t)
		sleep(4 * time.Second) // WithMaxHold is five
		if !got.Valid() {
			t.Error("lost too early")
		}
		sleep(time.Second)
		wantLost(t, got.Err(), MaxHold)
		wantLost(t, got.Release(), MaxHold)
		wantFree(t, m.Lock("db"))
	}, WithStopMargin(time.Second), WithMaxHold(5*time.Second))
}

// The holder hears of the loss a stop margin before the store may grant the resource to anybody else, and by the clock alone.
func TestHolderIsToldBeforeTheStoreCanGrantToOthers(t *testing.T) {
	for name, fault := range map[string]func(context.Context, string) error{
		"black hole":         hang,
		"only renewals fail": only("renew", hang), // a release sent at the loss would let others in too early
	} {
		t.Run(name, func(t *testing.T) { holderIsToldFirst(t, fault) })
	}
}

func holderIsToldFirst(t *testing.T, fault func(context.Context, string) error) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		g := f.peer()
		a, b := newManager(t, f), newManager(t, g)
		begin := time.Now()
		l := mustAcquire(t, a.Lock("db"))
		until := l.ValidUntil()
		f.set(fault, nil)
		w := start(b.Lock("db"))
		<-l.Context().Done()
		told := time.Now()
		wantLost(t, l.Err(), Expired)
		if want := until.Add(-DefaultTTL / marginPart); told.Sub(want).Abs() > time.Millisecond {
			t.Errorf("told at %v, want %v", told.Sub(begin), want.Sub(begin))
		}
		<-w.done
		next := w.granted(t)
		if gap := time.Since(told); gap < DefaultTTL/marginPart {
			t.Errorf("the next was granted %v after the loss", gap)
		}
		if d := time.Since(begin); d > DefaultTTL+time.Millisecond {
			t.Errorf("the next was granted after %v", d)
		}
		mustRelease(t, next)
		f.set(nil, nil)
		wantLost(t, l.Release(), Expired)
	})
}

// Waiting local acquires are not granted anything under a lease that was lost; they go back to the store.
func TestLossSendsLocalWaitersBackToTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		a, b := newManager(t, f), newManager(t, f.peer())
		l := mustAcquire(t, a.Lock("db"))
		var ws []*waiter
		for range 1000 {
			ws = append(ws, start(a.Lock("db")))
		}
		remote := start(b.Lock("db"))
		f.forget()
		theirs := remote.granted(t) // the store has given it to another process
		<-l.Context().Done()
		wantLost(t, l.Release(), NotOwner)
		for _, w := range ws {
			w.stillWaiting(t)
		}
		mustRelease(t, theirs)
		last := theirs.Token()
		for _, w := range ws {
			next := w.granted(t)
			if next.Token() <= last {
				t.Fatalf("token %d after %d", next.Token(), last)
			}
			last = next.Token()
			mustRelease(t, next)
		}
	})
}

// A store may report a loss before it has reported the grant.
func TestLossThatOvertakesTheGrantIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, &overtaking{fake: f})
		l := mustAcquire(t, m.Lock("db"))
		synctest.Wait()
		wantLost(t, l.Err(), BackendLost)
		wantLost(t, l.Release(), BackendLost)
	})
}

type overtaking struct{ *fake }

func (o *overtaking) Start(op *backends.Op) backends.Work {
	tell := op.Granted
	op.Granted = func(i int, g backends.Grant, err error) {
		op.Acquire[i].Notify(backends.Event{Grant: g.ID, Type: backends.Lost, Err: &LostError{Reason: BackendLost}})
		tell(i, g, err)
	}
	return o.fake.Start(op)
}

// After a pause, or a suspend of the machine, no timer may have run yet. The first look says that the lease is lost.
func TestFirstLookAfterAPauseSaysLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake())
		ctx := func(l *Lease) bool { return l.Context().Err() != nil }
		looks := map[string]func(*Lease, context.Context) bool{
			"Valid":   func(l *Lease, _ context.Context) bool { return !l.Valid() },
			"Err":     func(l *Lease, _ context.Context) bool { return l.Err() != nil },
			"Context": func(_ *Lease, made context.Context) bool { return made.Err() != nil },
			"Release": func(l *Lease, _ context.Context) bool { return errors.Is(l.Release(), ErrLost) },
		}
		for name, look := range looks {
			for clock, stop := range map[string]func(*request){
				"monotonic": func(r *request) { r.valid.Store(max(m.now(), 1)) },
				"wall":      func(r *request) { r.wall.Store(time.Now().UnixNano()) }, // as if it had jumped ahead
			} {
				l := mustAcquire(t, m.Lock("db"))
				made := l.Context()
				stop(l.req)
				if !look(l, made) {
					t.Errorf("%s, %s clock: not lost", name, clock)
				}
				wantLost(t, context.Cause(made), Expired)
				wantLost(t, l.Release(), Expired)
				if ctx(l) == false {
					t.Error("context not ended")
				}
				synctest.Wait()
			}
		}
		if s := m.Stats(); s.Totals.Lost != uint64(2*len(looks)) || s.Holding != 0 {
			t.Errorf("stats: %+v", s.Totals)
		}
	})
}

func TestLossOfAParkedGrantAsksTheStoreAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		f.set(only("renew", slow(time.Second)), nil)
		w := start(m.Lock("db"))
		mustRelease(t, l)
		w.stillWaiting(t)
		k := m.keeper("db")
		k.notify(backends.Event{Grant: k.own.ID, Type: backends.Lost})
		k.notify(backends.Event{Type: backends.Requeued})
		next := w.granted(t)
		if next.Token() <= l.Token() {
			t.Errorf("token %d after %d", next.Token(), l.Token())
		}
		mustRelease(t, next)
		if n := row(m, "db").Requeued; n != 1 {
			t.Errorf("requeued %d times, want 1", n)
		}
		sleep(2 * time.Second)
	})
}
