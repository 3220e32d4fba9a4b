package manager

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// A store whose answer to one name is a panic takes down the keeper of that name, and nobody else.
func TestPanicReachesWaitersAndHoldersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &panicking{Backend: memory.New()}
		m := newManager(t, p)
		l, reader := mustAcquire(t, m.Lock("bad")), mustAcquire(t, m.RWLock("rw").Read())
		other := mustAcquire(t, m.Lock("good"))
		w := start(m.Lock("bad"))
		p.arm = true
		mustRelease(t, l) // the keeper wants tokens for w, and the store panics
		_, err := m.RWLock("rw").Read().Acquire(context.Background())
		<-w.done
		var cause *actor.PanicError
		for _, err := range []error{err, w.err} {
			if !errors.Is(err, ErrUnavailable) || !errors.As(err, &cause) || cause.Value != "store" {
				t.Errorf("waiter: %v", err)
			}
		}
		wantLost(t, reader.Release(), Panicked)
		p.arm = false
		if !other.Valid() {
			t.Error("another name was touched")
		}
		mustRelease(t, other)
		synctest.Wait()
		wantFree(t, m.Lock("bad"))
		wantFree(t, m.RWLock("rw").Write())
		want := Counters{Acquisitions: 5, Releases: 4, Lost: 1, Failed: 2}
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

func (p *panicking) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	if p.arm {
		panic("store")
	}
	return p.Backend.TryAcquire(ctx, r)
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
		q := &snapshot{lease: &lease{}}
		k.mail.Deliver(q)
		q.wait(m)
		if !q.retired {
			t.Error("a failed keeper shows up in Stats")
		}
		b := l.req.grant.Grant
		k.mail.Deliver(&answered{ask: &ask{}, grant: b}) // a grant for nobody: given back
		k.mail.Deliver(shut{})                           // as Close would have sent
		wantLost(t, l.Release(), Panicked)
		synctest.Wait()
		wantFree(t, m.Lock("db"))
		m.caretaker.keepers++ // the shut above was not Close's
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
