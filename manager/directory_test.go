package manager

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

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
			if past.sum.Acquisitions != uint64(n) {
				t.Errorf("%d acquisitions counted, want %d", past.sum.Acquisitions, n)
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
				if i%50 == 0 { // as the manager's actor would, at the worst moment
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

func TestHotNameKeepsItsKeeper(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		k := m.keeper("db")
		for range 100 {
			mustRelease(t, mustAcquire(t, m.Lock("db")))
			sleep(linger / 3)
		}
		if m.keeper("db") != k {
			t.Error("another keeper")
		}
		sleep(3 * linger)
		if ks, _ := m.dir.all(false); len(ks) != 0 {
			t.Errorf("%d keepers are left", len(ks))
		}
		if m.actor.timer != nil {
			t.Error("a timer is armed for nobody")
		}
	})
}
