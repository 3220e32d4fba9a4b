package manager

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// profiled returns how many stacks a profile has, and its text.
func profiled(t *testing.T, name string) (int, string) {
	t.Helper()
	synctest.Wait()
	p := pprof.Lookup("lockkeeper." + name)
	var text bytes.Buffer
	if err := p.WriteTo(&text, 1); err != nil {
		t.Error(err)
	}
	return p.Count(), text.String()
}

func wantProfiled(t *testing.T, what string, holders, waiters int) {
	t.Helper()
	h, held := profiled(t, "holders")
	w, waited := profiled(t, "waiters")
	if h != holders || w != waiters {
		t.Errorf("%s: %d holders, want %d; %d waiters, want %d\n%s\n%s", what, h, holders, w, waiters, held, waited)
	}
}

// The profiles have a stack of each lease that is held and of each acquire that waits, however they
// end.
func TestTheProfilesHaveWhatIsHeldAndWaitsNow(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := holdForTheProfile(t, m)
		w := start(m.Lock("db"))
		wantProfiled(t, "held and waited for", 1, 1)
		if _, text := profiled(t, "holders"); !strings.Contains(text, "holdForTheProfile") || strings.Contains(text, ".observe") {
			t.Errorf("holders:\n%s", text)
		}
		if _, text := profiled(t, "waiters"); !strings.Contains(text, "startWith") {
			t.Errorf("waiters:\n%s", text)
		}
		mustRelease(t, l)
		wantProfiled(t, "handed on", 1, 0)
		mustRelease(t, w.granted(t))
		wantProfiled(t, "released", 0, 0)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l = mustAcquire(t, m.All(m.Lock("db"), m.Lock("a")))
		w = startWith(ctx, m.All(m.Lock("db"), m.Lock("b")))
		wantProfiled(t, "All", 1, 1)
		sleep(2 * time.Second)
		<-w.done
		wantProfiled(t, "timed out", 1, 0)
		mustRelease(t, l)
		err := m.Lock("db").Reentrant().Do(t.Context(), func(ctx context.Context) error {
			return m.Lock("db").Reentrant().Do(ctx, func(context.Context) error {
				wantProfiled(t, "re-entered", 2, 0)
				return nil
			})
		})
		wantErr(t, err, nil)
		mustAcquire(t, m.Lock("db"), HoldAtMost(time.Second))
		sleep(2 * time.Second)
		wantProfiled(t, "lost", 0, 0)
		sleep(time.Minute)
		mustAcquire(t, m.Lock("db"))
		wantErr(t, m.Close(t.Context()), nil)
		wantProfiled(t, "closed", 0, 0)
	}, WithProfiles())
}

//go:noinline
func holdForTheProfile(t *testing.T, m *Manager) *Lease {
	l, err := m.Lock("db").Acquire(t.Context())
	if err != nil {
		t.Error(err)
	}
	return l
}

func TestADroppedLeaseLeavesTheProfiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, newFake(), WithProfiles())
		holdForTheProfile(t, m)
		wantProfiled(t, "not collected", 1, 0)
		sleep(time.Minute)
		collect(m)
		sleep(time.Minute)
		wantProfiled(t, "dropped", 0, 0)
	})
}

func TestManagersShareTheProfiles(t *testing.T) {
	a, b := newManager(t, memory.New(), WithProfiles()), newManager(t, memory.New(), WithProfiles())
	unwatched := newManager(t, memory.New())
	ls := []*Lease{mustAcquire(t, a.Lock("db")), mustAcquire(t, b.Lock("db")), mustAcquire(t, unwatched.Lock("db"))}
	if n := pprof.Lookup("lockkeeper.holders").Count(); n != 2 {
		t.Errorf("%d holders, want 2", n)
	}
	mustRelease(t, ls...)
}
