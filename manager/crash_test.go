package manager

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// A store that panics has told nothing: who asked is told so, and nobody else is touched.
func TestPanicOfTheStoreReachesOnlyThoseWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &panicking{Backend: memory.New()}
		m := newManager(t, p, WithLocalHandoffs(0, 0))
		l, reader := mustAcquire(t, m.Lock("bad")), mustAcquire(t, m.RWLock("rw").Read())
		other := mustAcquire(t, m.Lock("good"))
		w := start(m.Lock("bad"))
		synctest.Wait()
		p.arm = true
		released := l.Release() // the same operation asks for w
		_, err := m.RWLock("rw").Read().Acquire(context.Background())
		_, all := m.All(m.Lock("bad"), m.Lock("x")).Acquire(context.Background())
		<-w.done
		var cause *actor.PanicError
		for _, err := range []error{err, w.err, released, all} {
			if !errors.Is(err, ErrUnavailable) || !errors.As(err, &cause) || cause.Value != "store" {
				t.Errorf("told %v", err)
			}
			if !strings.HasSuffix(err.Error(), ": "+ErrUnavailable.Error()+": actor: panic: store") {
				t.Errorf("the message does not say why: %v", err)
			}
		}
		synctest.Wait() // the store is asked again to release what it was to release when it panicked
		p.arm = false
		if !other.Valid() || !reader.Valid() {
			t.Error("another lease was touched")
		}
		mustRelease(t, other)
		mustRelease(t, reader)
		synctest.Wait()
		if err := m.Break(context.Background(), "bad"); err != nil { // the store panicked when it was to release it
			t.Error(err)
		}
		wantFree(t, m.Lock("bad"))
		wantFree(t, m.RWLock("rw").Write())
		want := Counters{Acquisitions: 5, Releases: 5, Failed: 3}
		if c := m.Stats().Totals; c.Acquisitions != want.Acquisitions || c.Releases != want.Releases ||
			c.Lost != want.Lost || c.Failed != want.Failed {
			t.Errorf("counted %+v, want %+v", c, want)
		}
	})
}

type panicking struct {
	backends.Backend
	arm bool // while no keeper runs
}

func (p *panicking) Start(op *backends.Op) backends.Work {
	if p.arm {
		panic("store")
	}
	return p.Backend.Start(op)
}

func (p *panicking) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	if p.arm {
		panic("store")
	}
	return p.Backend.Renew(ctx, rs)
}

func TestPanicEndsTheLeasesOfTheKeeper(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		w := start(m.Lock("db"))
		m.keeper("db").mail.Tell(42) // no message of a keeper's
		synctest.Wait()
		<-l.Context().Done()
		wantLost(t, l.Err(), Panicked)
		if w.waiting() || !errors.Is(w.err, ErrUnavailable) {
			t.Errorf("waiter: %v", w.err)
		}
		wantLost(t, l.Release(), Panicked)
		wantFree(t, m.Lock("db")) // its successor works
		wantBalanced(t, m, 0)
		if c := m.Stats().Totals; c.Failed != 1 || c.Lost != 1 || c.Acquisitions != 2 {
			t.Errorf("counted %+v", c)
		}
	})
}

// Whatever comes to a keeper that has failed is answered, and the name works again under a successor.
func TestMessagesToAFailedKeeperAreAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db").Reentrant())
		k := m.keeper("db")
		k.mail.Tell(42)
		synctest.Wait()
		late := &request{k: k, kind: l.req.kind, cap: 1, weight: 1, handles: 1}
		late.req = late
		k.mail.Deliver(acquire{late})
		wantErr(t, late.await(context.Background()), ErrUnavailable)
		again := &nest{lease: lease{req: l.req}}
		k.mail.Deliver(again)
		wantErr(t, again.result, ErrUnavailable)
		q := &snapshot{statistics: &statistics{}, row: &ResourceStats{}}
		q.left.Store(1)
		k.mail.Deliver(q)
		q.await(m, nil, nil)
		if !q.retired {
			t.Error("a failed keeper shows up in Stats")
		}
		b := l.req.grant.Grant
		k.mail.Deliver(&call{k: k, request: late, grant: b}) // a grant for nobody: given back
		k.mail.Deliver(shut{})                               // as Close would have sent
		wantLost(t, l.Release(), Panicked)
		synctest.Wait()
		wantFree(t, m.Lock("db"))
		m.actor.keepers++ // the shut above was not Close's
	})
}

func TestPanicOfARenewalHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		l := mustAcquire(t, m.Lock("db"))
		var armed atomic.Bool
		armed.Store(true)
		f.set(only("renew", func(context.Context, string) error {
			if armed.Load() {
				panic("store")
			}
			return nil
		}), nil)
		for f.count("renew") < 2 {
			sleep(time.Millisecond)
		}
		armed.Store(false)
		sleep(10 * DefaultTTL)
		if !l.Valid() {
			t.Error(l.Err())
		}
		mustRelease(t, l)
	})
}

// Without the renewer no lease is renewed, so each one ends in time, and Close still ends.
func TestPanicOfTheRenewerLeavesLeasesTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		f := newFake()
		m := newManager(t, f, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		m.renewer.mail.Tell((*renewal)(nil)) // no keeper sends that
		synctest.Wait()
		begin := time.Now()
		l := mustAcquire(t, m.Lock("db"))
		until := l.ValidUntil()
		<-l.Context().Done()
		if valid, left := until.Sub(begin), time.Until(until); valid < DefaultTTL*9/10 || left != m.cfg.margin {
			t.Errorf("valid for %v, told %v before the end; want the margin, %v", valid, left, m.cfg.margin)
		}
		wantLost(t, l.Err(), Expired)
		wantLost(t, l.Release(), Expired)
		if f.count("renew") > 0 {
			t.Error("a renewer that has failed renews")
		}
		if !strings.Contains(log.String(), "renewer failed") {
			t.Errorf("not in the log:\n%s", log.String())
		}
	})
}

func TestPanicOfARefillHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		f.set(only("renew", func(context.Context, string) error { panic("store") }), nil)
		l := mustAcquire(t, m.Lock("db"))
		w := start(m.Lock("db")) // a token for it is ordered
		if f.count("renew") == 0 {
			t.Error("no tokens were ordered")
		}
		if !l.Valid() {
			t.Error(l.Err())
		}
		f.set(nil, nil)
		mustRelease(t, l)
		mustRelease(t, w.granted(t))
	})
}

func TestPanicOfACancelReachesOnlyItsCaller(t *testing.T) {
	for name, claim := range map[string]func(*Manager) Claim{
		"one name":      func(m *Manager) Claim { return m.Lock("db") },
		"several names": func(m *Manager) Claim { return m.All(m.Lock("db"), m.Lock("log")) },
	} {
		for how, cancel := range map[string]func(*backends.Op, intercept.Start) backends.Work{
			"":         func(*backends.Op, intercept.Start) backends.Work { panic("store") },
			" by work": func(*backends.Op, intercept.Start) backends.Work { return func(context.Context) { panic("store") } },
		} {
			t.Run(name+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := memory.New()
					m := newManager(t, &intercept.Backend{Backend: store, OnCancel: cancel})
					b := newManager(t, store.Peer())
					other := mustAcquire(t, m.Lock("other"))
					held := mustAcquire(t, b.Lock("db"))
					w := start(claim(m))
					w.cancel(nil)
					<-w.done
					wantErr(t, w.err, context.Canceled)
					mustRelease(t, other, mustAcquire(t, m.All(m.Lock("x"), m.Lock("y"))))
					mustRelease(t, held)
				})
			})
		}
	}
}

// A request may stand in the queue of a store that has panicked. The grant that comes then goes back.
func TestGrantOfAStoreThatHasPanickedGoesBack(t *testing.T) {
	panics := func(op *backends.Op, start intercept.Start) backends.Work {
		work := start(op)
		if len(op.Acquire) > 0 {
			panic("store")
		}
		return work
	}
	byWork := func(op *backends.Op, start intercept.Start) backends.Work {
		return func(context.Context) { panics(op, start) }
	}
	for name, hook := range map[string]func(*backends.Op, intercept.Start) backends.Work{"": panics, "by work": byWork} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				broken := &intercept.Backend{Backend: store, OnStart: hook}
				a, b := newManager(t, broken), newManager(t, store.Peer())
				held := mustAcquire(t, b.Lock("db"))
				_, err := a.Lock("db").Acquire(context.Background())
				wantErr(t, err, ErrUnavailable)
				next := start(b.Lock("db"))
				mustRelease(t, held)
				mustRelease(t, next.granted(t))
			})
		})
	}
}
