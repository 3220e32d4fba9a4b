package manager

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// queued makes each of the managers hold or wait for a name in turns of 20 ms, n times.
func holdInTurns(t *testing.T, name string, n int, ms ...*Manager) {
	t.Helper()
	for i := range n {
		m := ms[i%len(ms)]
		go func() {
			_ = m.Lock(name).Do(context.Background(), func(context.Context) error {
				time.Sleep(20 * time.Millisecond)
				return nil
			})
		}()
		synctest.Wait()
	}
}

func TestAllWaitsForTheLongestOfItsQueues(t *testing.T) {
	for what, remote := range map[string]bool{"in one process": false, "between two": true} {
		t.Run(what, func(t *testing.T) {
			twins(t, func(t *testing.T, a, b *Manager) {
				ms := []*Manager{a}
				if remote {
					ms = []*Manager{b, a}
				}
				var parts []Claim
				for i, name := range []string{"a", "b", "c", "d", "e"} {
					holdInTurns(t, name, i+1, ms...)
					parts = append(parts, a.Lock(name))
				}
				begin := time.Now()
				l := mustAcquire(t, a.All(parts...))
				if d := time.Since(begin); d != 100*time.Millisecond {
					t.Errorf("waited %v; want 100ms, as for the longest queue", d)
				}
				mustRelease(t, l)
			})
		})
	}
}

func TestNobodyOvertakesAPart(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		x := mustAcquire(t, a.Lock("x"))
		all := start(a.All(a.Lock("x"), a.Lock("y")))
		behind := start(a.Lock("y"))
		wantBusy(t, a.Lock("y"))
		all.stillWaiting(t)
		behind.stillWaiting(t) // although y is free
		mustRelease(t, x)
		mustRelease(t, all.granted(t))
		mustRelease(t, behind.granted(t))
	})
}

// Two Alls of one process over the same names, whatever the order in which their parts are written.
func TestAllsOfAProcessStandInOneOrderInAllQueues(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		x, y := mustAcquire(t, m.Lock("x")), mustAcquire(t, m.Lock("y"))
		first := start(m.All(m.Lock("x"), m.Lock("y")))
		second := start(m.All(m.Lock("y"), m.Lock("x")))
		mustRelease(t, y)
		second.stillWaiting(t)
		mustRelease(t, x)
		l := first.granted(t)
		second.stillWaiting(t)
		mustRelease(t, l)
		mustRelease(t, second.granted(t))
	})
}

func TestAllOfTenCostsTheStoreTwoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := newManager(t, f)
		var parts []Claim
		for _, n := range "abcdefghij" {
			parts = append(parts, m.Lock(string(n)))
		}
		l := mustAcquire(t, m.All(parts...))
		if n := f.count("acquire"); n != 1 {
			t.Errorf("%d requests", n)
		}
		mustRelease(t, l)
		if n := f.count("release"); n != 10 || f.operations != 2 {
			t.Errorf("%d releases, %d operations", n, f.operations)
		}
	})
}

func TestTryOfAnAllTouchesNothingUnlessItGetsAll(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		held := mustAcquire(t, b.Lock("b"))
		token := func(m *Manager, n string) uint64 {
			s, err := m.Inspect(context.Background(), n)
			if err != nil {
				t.Fatal(err)
			}
			return s.Token
		}
		before := token(b, "a")
		for range 3 {
			wantBusy(t, a.All(a.Lock("a"), a.Lock("b"), a.Lock("c")))
		}
		if token(b, "a") != before {
			t.Error("a busy try has taken a part")
		}
		wantFree(t, b.Lock("a"))
		wantFree(t, b.Lock("c"))
		mustRelease(t, held)
		wantFree(t, a.All(a.Lock("a"), a.Lock("b"), a.Lock("c")))
	})
}

// An All whose caller goes leaves nothing, whatever has been granted of it.
func TestCancelledAllLeavesNothing(t *testing.T) {
	cases := map[string]func(t *testing.T, a, b *Manager) *Lease{
		"before it asks": func(t *testing.T, a, b *Manager) *Lease { return mustAcquire(t, a.Lock("y")) },
		"half granted":   func(t *testing.T, a, b *Manager) *Lease { return mustAcquire(t, b.Lock("y")) },
	}
	for what, hold := range cases {
		t.Run(what, func(t *testing.T) {
			twins(t, func(t *testing.T, a, b *Manager) {
				y := hold(t, a, b)
				w := start(a.All(a.Lock("x"), a.Lock("y"), a.Lock("z")))
				w.stillWaiting(t)
				behind := start(a.Lock("x"))
				behind.stillWaiting(t)
				w.cancel(nil)
				<-w.done
				wantErr(t, w.err, context.Canceled)
				mustRelease(t, behind.granted(t))
				wantFree(t, b.Lock("x"))
				wantFree(t, b.Lock("z"))
				mustRelease(t, y)
				wantFree(t, b.Lock("y"))
				wantBalanced(t, a, 0)
			})
		})
	}
}

// The caller goes at the very moment of the last grant, again and again.
func TestCancelThatRacesTheGrantOfAnAll(t *testing.T) {
	store := memory.New()
	a, b := newManager(t, store), newManager(t, store.Peer())
	for range 2000 {
		y := mustAcquire(t, b.Lock("y"))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan *Lease)
		go func() {
			l, _ := a.All(a.Lock("x"), a.Lock("y")).Acquire(ctx)
			done <- l
		}()
		go cancel()
		mustRelease(t, y)
		if l := <-done; l != nil {
			mustRelease(t, l)
		}
		mustRelease(t, mustAcquire(t, b.All(b.Lock("x"), b.Lock("y"))))
	}
	wantBalanced(t, a, 0)
}

func TestAllOfMixedKinds(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		reader := mustAcquire(t, b.RWLock("rw").Read())
		two := mustAcquire(t, b.Semaphore("s", 5).Permits(2))
		mixed := a.All(a.Lock("m"), a.RWLock("rw").Read(), a.Semaphore("s", 5).Permits(3), a.All(a.RWLock("w").Write()))
		l := mustAcquire(t, mixed)
		kinds := map[string]backends.Kind{"m": backends.Mutex, "rw": backends.ReadWrite, "s": backends.Semaphore, "w": backends.ReadWrite}
		for _, p := range l.Leases() {
			if p.req.kind != kinds[p.Name()] || p.Token() == 0 {
				t.Errorf("part %q: %v, token %d", p.Name(), p.req.kind, p.Token())
			}
		}
		wantBusy(t, b.Semaphore("s", 5).Permits(1))
		wantBusy(t, b.RWLock("rw").Write())
		mustRelease(t, l, reader, two)
		wantFree(t, b.RWLock("rw").Write())
	})
}

func TestTokenOfAnAllLeasePanics(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.All(m.Lock("a"), m.Lock("b")))
		defer mustRelease(t, l)
		defer func() {
			if v := recover(); v != "manager: Token of a lease on several names: use the tokens of its Leases" {
				t.Errorf("got %v", v)
			}
		}()
		_ = l.Token()
	})
}

// A part that its user releases alone ends the lease of all; the others go with it.
func TestReleaseOfOnePartThenOfAll(t *testing.T) {
	twins(t, func(t *testing.T, a, b *Manager) {
		l := mustAcquire(t, a.All(a.Lock("a"), a.Lock("b"), a.Lock("c")))
		mustRelease(t, l.Leases()[1])
		wantErr(t, l.Err(), ErrReleased)
		wantFree(t, b.Lock("b"))
		wantBusy(t, b.Lock("a"))
		mustRelease(t, l)
		wantFree(t, b.All(b.Lock("a"), b.Lock("b"), b.Lock("c")))
		wantBalanced(t, a, 0)
	})
}
