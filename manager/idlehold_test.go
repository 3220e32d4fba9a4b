package manager

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// keeping runs f with two managers over one store that counts its calls. The first keeps names for a
// second.
func keeping(t *testing.T, f func(t *testing.T, s *fake, a, b *Manager)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		f(t, s, newManager(t, s, WithIdleHold(time.Second)), newManager(t, s.peer()))
	})
}

func TestNameInSteadyUseCostsTheStoreNothing(t *testing.T) {
	keeping(t, func(t *testing.T, s *fake, a, b *Manager) {
		var last uint64
		for i := range 1000 {
			c := a.Lock("db")
			if i%3 == 0 {
				c = a.All(c)
			}
			l := mustAcquire(t, c)
			token := l.Leases()[0].Token()
			if token <= last {
				t.Fatalf("token %d after %d", token, last)
			}
			last = token
			mustRelease(t, l)
		}
		if n := s.count("acquire") + s.count("release") + s.count("renew"); n > 2*1000/3+20 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestIdleHoldEndsAfterItsTime(t *testing.T) {
	keeping(t, func(t *testing.T, s *fake, a, b *Manager) {
		mustRelease(t, mustAcquire(t, a.Lock("db")))
		sleep(time.Second - 1)
		if s.held("db") != 1 {
			t.Error("not kept")
		}
		sleep(1)
		if s.held("db") != 0 {
			t.Error("still kept")
		}
		if n := s.count("renew"); n != 0 {
			t.Errorf("renewed %d times for nobody", n)
		}
	})
}

func TestIdleHoldEndsWhenAnotherProcessComesToWait(t *testing.T) {
	keeping(t, func(t *testing.T, _ *fake, a, b *Manager) {
		mustRelease(t, mustAcquire(t, a.Lock("db")))
		mustRelease(t, start(b.Lock("db")).granted(t))
	})
}

func TestTryOfAnotherProcessIsBusyAndTheNextIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := newManager(t, store, WithIdleHold(time.Second)), newManager(t, store.Peer())
		mustRelease(t, mustAcquire(t, a.Lock("db")))
		wantBusy(t, b.Lock("db"))
		synctest.Wait()
		wantFree(t, b.Lock("db"))
	})
}

// A try while the name is held is news as well: it is not kept afterwards.
func TestNameThatOthersTryIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := newManager(t, store, WithIdleHold(time.Second)), newManager(t, store.Peer())
		l := mustAcquire(t, a.Lock("db"))
		wantBusy(t, b.Lock("db"))
		mustRelease(t, l)
		wantFree(t, b.Lock("db"))
	})
}

func TestKeptNameServesOtherClaimsOfItsProcess(t *testing.T) {
	keeping(t, func(t *testing.T, s *fake, a, b *Manager) {
		rw := a.RWLock("rw")
		mustRelease(t, mustAcquire(t, rw.Write()))
		first, second := mustAcquire(t, rw.Read()), mustAcquire(t, rw.Read()) // the whole goes back first
		mustRelease(t, first, second)
		mustRelease(t, mustAcquire(t, rw.Write()))
		wantFree(t, rw.Write())
		wantFree(t, rw.Read())
		mustRelease(t, mustAcquire(t, a.Lock("x")), mustAcquire(t, a.Lock("y")))
		before := s.count("acquire")
		l := mustAcquire(t, a.All(a.Lock("x"), a.Lock("y"), a.Lock("z")))
		if n := s.count("acquire") - before; n != 1 {
			t.Errorf("an All over kept names made %d requests", n)
		}
		for _, n := range []string{"x", "y", "z"} {
			wantBusy(t, b.Lock(n))
		}
		mustRelease(t, l)
		wantErr(t, a.All(a.Lock("x"), a.Lock("y")).Do(context.Background(), func(context.Context) error { return nil }), nil)
	})
}

func TestKeptNameGoesBackWhenItCouldNotBeHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f, WithIdleHold(DefaultTTL/2))
		l := mustAcquire(t, m.Lock("db"))
		f.set(only("renew", hang), nil)
		sleep(DefaultTTL / 2)
		mustRelease(t, l)
		sleep(DefaultTTL / 3)
		if f.held("db") != 0 {
			t.Error("kept until it expires")
		}
		f.set(nil, nil)
		wantFree(t, m.Lock("db"))
	})
}

func TestCloseReleasesWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a, b := newManager(t, store, WithIdleHold(DefaultTTL/2)), newManager(t, store.Peer())
		mustRelease(t, mustAcquire(t, a.Lock("db")))
		begin := time.Now()
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
		wantFree(t, b.Lock("db"))
		if d := time.Since(begin); d > time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

func TestIdleHoldIsAtMostHalfOfTheTTL(t *testing.T) {
	for _, d := range []time.Duration{-1, DefaultTTL/2 + 1} {
		_, err := New(memory.New(), WithIdleHold(d))
		wantErr(t, err, ErrInvalid)
	}
}
