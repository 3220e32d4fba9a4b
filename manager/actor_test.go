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

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestCloseTellsWaitersAndHolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		m, other := newManager(t, store), newManager(t, store.Peer())
		l := mustAcquire(t, m.Lock("db"))
		reader := mustAcquire(t, m.RWLock("rw").Read())
		theirs := mustAcquire(t, other.Lock("x"))
		local, remote := start(m.Lock("db")), start(m.Lock("x"))
		next := start(other.Lock("db"))

		begin := time.Now()
		closed := make(chan error)
		go func() { closed <- m.Close(context.Background()) }()
		synctest.Wait()
		for _, w := range []*waiter{local, remote} {
			if w.waiting() || !errors.Is(w.err, ErrClosed) {
				t.Errorf("waiter: %v", w.err)
			}
		}
		for _, l := range []*Lease{l, reader} {
			wantLost(t, context.Cause(l.Context()), ByClose)
		}
		next.stillWaiting(t) // the holder may still be at work
		wantLost(t, l.Release(), ByClose)
		mustRelease(t, next.granted(t))
		if err := <-closed; err != nil { // the reader never releases
			t.Error(err)
		}
		if d := time.Since(begin); d != DefaultTTL/marginPart {
			t.Errorf("Close took %v", d)
		}
		wantLost(t, reader.Release(), ByClose)
		wantFree(t, other.RWLock("rw").Write())
		mustRelease(t, theirs)
	})
}

func TestClosedManagerRefusesEverything(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		ctx := context.Background()
		l := mustAcquire(t, m.Lock("db"))
		mustRelease(t, l)
		for range 2 {
			if err := m.Close(ctx); err != nil {
				t.Error(err)
			}
		}
		_, err := m.Lock("db").Acquire(ctx)
		wantErr(t, err, ErrClosed)
		_, err = m.RWLock("new").Read().TryAcquire(ctx)
		wantErr(t, err, ErrClosed)
		_, err = m.All(m.Lock("a"), m.Lock("b")).Acquire(ctx)
		wantErr(t, err, ErrClosed)
		wantErr(t, m.Lock("db").Do(ctx, func(context.Context) error { return nil }), ErrClosed)
		_, err = m.Inspect(ctx, "db")
		wantErr(t, err, ErrClosed)
		wantErr(t, m.Break(ctx, "db"), ErrClosed)
		for _, err := range m.List(ctx) {
			wantErr(t, err, ErrClosed)
		}
		mustRelease(t, l)
		if s := m.Stats(); s.Totals.Acquisitions != 1 || len(s.Resources) != 0 {
			t.Errorf("stats: %+v", s)
		}
		var none context.Context
		wantErr(t, m.Close(none), ErrInvalid)
	})
}

func TestCloseReturnsWithItsContextAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		f.set(only("release", hang), nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin := time.Now()
		wantErr(t, m.Close(ctx), context.DeadlineExceeded)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("Close took %v", d)
		}
		wantLost(t, l.Err(), ByClose)
		f.set(nil, nil)
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := f.held("db"); n != 0 {
			t.Errorf("the store still keeps %d grants", n)
		}
	})
}

func TestCloseReportsTheBackendsError(t *testing.T) {
	bad := errors.New("disk on fire")
	m, err := New(badClose{newFake(), bad})
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, m.Close(context.Background()), bad)
	wantErr(t, m.Close(context.Background()), bad)
}

// The first Close has given up; the next one waits for the backend, and reports what came of it.
func TestCloseWaitsForTheBackendWhoeverBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(slowClose{newFake()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		wantErr(t, m.Close(ctx), context.DeadlineExceeded)
		begin := time.Now()
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d != time.Minute-time.Second {
			t.Errorf("waited %v", d)
		}
	})
}

type slowClose struct{ *fake }

func (slowClose) Close(ctx context.Context) error { return slow(time.Minute)(ctx, "close") }

func TestCloseReturnsWhenTheBackendsPanics(t *testing.T) {
	m, err := New(panicClose{newFake()})
	if err != nil {
		t.Fatal(err)
	}
	var p *actor.PanicError
	if err := m.Close(context.Background()); !errors.As(err, &p) {
		t.Errorf("got %v", err)
	}
}

type panicClose struct{ *fake }

func (panicClose) Close(context.Context) error { panic("store") }

type badClose struct {
	*fake
	err error
}

func (b badClose) Close(context.Context) error { return b.err }

// Close comes from several goroutines while others acquire, hold, wait, cancel and release. Everybody gets an answer.
func TestCloseMeetsEverything(t *testing.T) {
	for round := range 30 {
		store := memory.New()
		m, err := New(store, WithStopMargin(0))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 8 {
			rnd := rand.New(rand.NewPCG(uint64(round), uint64(g)))
			wg.Go(func() {
				for {
					ctx, cancel := context.WithCancel(context.Background())
					if rnd.IntN(4) == 0 {
						go cancel()
					}
					l, err := m.Semaphore(fmt.Sprint(rnd.IntN(3)), 2).Permits(1 + rnd.Int64N(2)).Acquire(ctx)
					cancel()
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil {
						wantErr(t, err, context.Canceled)
						continue
					}
					if err := l.Release(); err != nil {
						wantLost(t, err, ByClose)
					}
				}
			})
		}
		for range 3 {
			wg.Go(func() {
				if err := m.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for st, err := range store.Peer().List(context.Background()) {
			t.Errorf("the store still knows %+v, %v", st, err)
		}
		s := m.Stats().Totals
		if s.Acquisitions != s.Releases+s.Lost {
			t.Errorf("%d acquired, %d released, %d lost", s.Acquisitions, s.Releases, s.Lost)
		}
	}
}
