package file

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Two clients pass a lock to and fro, so that one lets go without the table's lock while the other begins to wait, in every
// order. No timer would save a waiter that was forgotten.
func TestNoWaiterIsForgotten(t *testing.T) {
	rounds := 20000
	if testing.Short() {
		rounds = 2000
	}
	dir := t.TempDir() + "/locks"
	clients := []*Backend{sleepless(t, dir), sleepless(t, dir)}
	ctx := patient(t)
	var last atomic.Uint64 // guarded by the lock that is tested, which the race detector does not see
	var idle atomic.Uint64
	var all sync.WaitGroup
	for i, b := range clients {
		all.Go(func() {
			for n := range rounds / len(clients) {
				g, err := backends.Acquire(ctx, b, mutex("db"))
				if err != nil {
					t.Errorf("client %d, round %d: %v", i, n, err)
					return
				}
				if before := last.Swap(g.Token); g.Token <= before {
					t.Errorf("token %d after %d", g.Token, before)
				}
				if err := backends.Release(ctx, b, g); err != nil {
					t.Errorf("client %d, round %d: %v", i, n, err)
					return
				}
				for spin := rand.IntN(4000); spin > 0; spin-- { // so that the next meets the other at any point
					idle.Add(1)
				}
			}
		})
	}
	all.Wait()
}

// A holder that lets go finds a ticket, or the waiter finds the lock free, although no message tells the holder that
// somebody waits.
func TestLettingGoNeedsNoMessage(t *testing.T) {
	rounds := 4000
	if testing.Short() {
		rounds = 1000
	}
	dir := t.TempDir() + "/locks"
	a, mute := sleepless(t, dir), sleepless(t, dir)
	mute.dir.Inboxes = strings.Repeat("x", 300)                // no name is that long
	a.timing.linger, mute.timing.linger = time.Hour, time.Hour // nor does anybody look by himself
	ctx := patient(t)
	begin, done := make(chan struct{}), make(chan error)
	go func() {
		for range begin {
			g, err := backends.Acquire(ctx, mute, mutex("db"))
			if err == nil {
				err = backends.Release(ctx, mute, g)
			}
			done <- err
		}
	}()
	defer close(begin)
	var idle atomic.Uint64
	for n := range rounds {
		g := mustAcquire(t, a, mutex("db"))
		begin <- struct{}{}
		for spin := rand.IntN(8000); spin > 0; spin-- { // up to some tens of microseconds
			idle.Add(1)
		}
		mustRelease(t, a, g)
		if err := <-done; err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
	}
}

// What a sole holder leaves in the table when it lets go is nobody's: not for a look, a try, another kind, or a break;
// and it is tidied up.
func TestLeftoverLine(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	use := func() {
		t.Helper()
		mustRelease(t, a, mustAcquire(t, a, writer("db")))
	}
	use()
	for _, c := range []*Backend{a, b} {
		if s, err := c.Inspect(patient(t), "db"); err != nil || len(s.Holders) > 0 || s.Resource.Kind != 0 {
			t.Errorf("Inspect = %+v, %v; want nobody", s, err)
		}
		for s, err := range c.List(patient(t)) {
			t.Errorf("List: %+v, %v; want nothing", s, err)
		}
	}
	for _, next := range []func(){
		func() { mustRelease(t, b, mustAcquire(t, b, reader("db"))) },
		func() { mustRelease(t, b, mustAcquire(t, b, writer("db"))) },
		func() { mustRelease(t, b, mustAcquire(t, b, mutex("db"))) },
		func() { mustRelease(t, b, mustAcquire(t, b, permits("db", 1, 1))) },
		func() {
			if err := b.Break(patient(t), "db"); err != nil {
				t.Error(err)
			}
		},
		func() {
			g, err := backends.TryAcquire(patient(t), b, permits("db", 2, 3))
			if err != nil {
				t.Fatal(err)
			}
			mustRelease(t, b, g)
		},
	} {
		use()
		next()
	}
	use()
	ctx := patient(t)
	for live(a) > 0 && ctx.Err() == nil {
		runtime.Gosched()
	}
	if _, used := a.dir.SeemsUsed("db", nil); used {
		t.Error("the line is still there after the resource has retired")
	}
}
