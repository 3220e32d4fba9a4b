package manager

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// acquireAndDrop acquires a lease and keeps only what keep returns.
//
//go:noinline
func acquireAndDrop(t testing.TB, c Claim, keep func(*Lease) any, opts ...AcquireOption) any {
	t.Helper()
	l := mustAcquire(t, c, opts...)
	if keep == nil {
		return nil
	}
	return keep(l)
}

// acquireAndDropUnder is acquireAndDrop with a context.
//
//go:noinline
func acquireAndDropUnder(t testing.TB, ctx context.Context, c Claim, keep func(*Lease)) {
	t.Helper()
	keep(acquireUnder(t, ctx, c))
}

// collect runs the garbage collector, and waits until every keeper has looked for dropped leases at
// least twice, once of them after the collection.
func collect(m *Manager) {
	sleep(m.cfg.ttl)
	runtime.GC()
	sleep(m.cfg.ttl)
}

// expiringTwins is twins on a store whose grants expire.
func expiringTwins(t *testing.T, f func(t *testing.T, a, b *Manager, store *fake), opts ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		f(t, newManager(t, store, opts...), newManager(t, store.peer(), opts...), store)
	})
}

func claims(m *Manager) map[string]Claim {
	return map[string]Claim{
		"mutex":     m.Lock("m"),
		"reader":    m.RWLock("rw").Read(),
		"writer":    m.RWLock("rw").Write(),
		"permits":   m.Semaphore("s", 3).Permits(2),
		"reentrant": m.Lock("r").Reentrant(),
		"all":       m.All(m.Lock("a1"), m.RWLock("a2").Read(), m.Semaphore("a3", 3).Permits(3)),
	}
}

func TestDroppedLeaseIsNotRenewedAnyMoreAndReleased(t *testing.T) {
	for kind := range claims(nil) {
		for how, opts := range map[string][]AcquireOption{"": nil, " at most an hour": {HoldAtMost(time.Hour)}} {
			t.Run(kind+how, func(t *testing.T) {
				expiringTwins(t, func(t *testing.T, a, b *Manager, store *fake) {
					acquireAndDrop(t, claims(a)[kind], nil, opts...)
					other := start(exclusive(b, claims(b)[kind]))
					collect(a)
					mustRelease(t, other.granted(t))
					renewals := store.count("renew")
					sleep(10 * a.cfg.ttl)
					if n := store.count("renew"); n != renewals {
						t.Errorf("%d more renewals of a dropped lease", n-renewals)
					}
					wantBalanced(t, a, 0)
					if n := a.Stats().Totals.Dropped; n == 0 {
						t.Error("the drop is not counted")
					}
				})
			})
		}
	}
}

// exclusive is a claim that cannot be granted beside any part of c.
func exclusive(m *Manager, c Claim) Claim {
	parts := c.all
	if parts == nil {
		parts = []Claim{c}
	}
	all := make([]Claim, len(parts))
	for i, p := range parts {
		p.m, p.weight = m, p.cap
		all[i] = p
	}
	return m.All(all...)
}

// wantBalanced fails unless acquisitions equal releases, losses and leases held.
func wantBalanced(t testing.TB, m *Manager, held uint64) {
	t.Helper()
	if c := m.Stats().Totals; c.Acquisitions-c.Releases-c.Lost != held {
		t.Errorf("%d acquisitions, %d releases, %d lost: want %d held", c.Acquisitions, c.Releases, c.Lost, held)
	}
}

func TestLeaseIsKeptByEveryReferenceThatCanUseIt(t *testing.T) {
	forget := func(ctx context.Context, _ context.CancelFunc) any { return ctx }
	for what, keep := range map[string]func(*Lease) any{
		"itself":              func(l *Lease) any { return l },
		"its context":         func(l *Lease) any { return l.Context() },
		"a derived context":   func(l *Lease) any { return forget(context.WithCancel(l.Context())) },
		"one with a deadline": func(l *Lease) any { return forget(context.WithTimeout(l.Context(), time.Hour)) },
		"one with a value":    func(l *Lease) any { return context.WithValue(l.Context(), key{}, 1) },
		"one without cancel":  func(l *Lease) any { return context.WithoutCancel(l.Context()) },
		"a function to be called when it ends": func(l *Lease) any {
			return context.AfterFunc(l.Context(), func() {})
		},
		"the end of a derived context": func(l *Lease) any {
			ctx, cancel := context.WithCancel(l.Context())
			_ = cancel
			return ctx.Done()
		},
		"a goroutine that waits for ever": func(l *Lease) any {
			stop := make(chan struct{})
			go func() {
				<-stop
				runtime.KeepAlive(l)
			}()
			return context.CancelFunc(func() { close(stop) })
		},
	} {
		t.Run(what, func(t *testing.T) {
			expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
				kept := acquireAndDrop(t, a.Lock("db"), keep)
				for range 3 {
					collect(a)
				}
				wantBusy(t, b.Lock("db"))
				wantBalanced(t, a, 1)
				if stop, ok := kept.(context.CancelFunc); ok {
					stop()
				}
				runtime.KeepAlive(kept)
			})
		})
	}
}

// The function of Do and Lead need not keep its lease: Do and Lead keep it.
func TestLeaseOfDoAndLeadIsKeptWhileTheirFunctionRuns(t *testing.T) {
	expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
		idle := func(context.Context) error {
			collect(a)
			collect(a)
			wantBusy(t, b.Lock("db"))
			return nil
		}
		if err := a.Lock("db").Do(t.Context(), idle); err != nil {
			t.Error(err)
		}
		if err := a.Lead(t.Context(), "db", func(ctx context.Context, _ uint64) error { return idle(ctx) }); err != nil {
			t.Error(err)
		}
		wantBalanced(t, a, 0)
	})
}

// The context of a lease is no child of the context of its Acquire, which would keep it.
func TestLongLivedParentDoesNotKeepALease(t *testing.T) {
	expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		defer cancel()
		func() {
			l := acquireUnder(t, parent, a.Lock("db"))
			ctx, stop := context.WithTimeout(l.Context(), time.Second)
			defer stop()
			if ctx.Value(key{}) != "v" {
				t.Error("the context has lost its values")
			}
		}()
		sleep(a.cfg.margin)
		collect(a)
		sleep(a.cfg.margin)
		wantFree(t, b.Lock("db"))
		runtime.KeepAlive(parent)
	})
}

// The leases of the parts are kept together: a program that keeps one of them keeps all.
func TestPartOfAnAllLeaseKeepsTheOthers(t *testing.T) {
	expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
		all := a.All(a.Lock("x"), a.Lock("y"), a.Lock("z"))
		part := acquireAndDrop(t, all, func(l *Lease) any { return l.Leases()[1] }).(*Lease)
		collect(a)
		for _, n := range []string{"x", "y", "z"} {
			wantBusy(t, b.Lock(n))
		}
		mustRelease(t, part)
		part = nil
		collect(a)
		for _, n := range []string{"x", "y", "z"} {
			wantFree(t, b.Lock(n))
		}
		wantBalanced(t, a, 0)
	})
}

// Each lease on a grant is dropped by itself, and the last one that is kept keeps the grant.
func TestReentrantLeaseIsDroppedByItself(t *testing.T) {
	enter := func(t *testing.T, m *Manager, l *Lease) *Lease {
		t.Helper()
		inner, err := m.Lock("db").Reentrant().Acquire(l.Context())
		if err != nil {
			t.Fatal(err)
		}
		return inner
	}
	expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
		outer := mustAcquire(t, a.Lock("db"))
		func() { enter(t, a, outer) }()
		collect(a)
		wantBusy(t, b.Lock("db"))
		wantBalanced(t, a, 1)
		mustRelease(t, outer)
		wantFree(t, b.Lock("db"))

		inner := acquireAndDrop(t, a.Lock("db"), func(l *Lease) any { return enter(t, a, l) }).(*Lease)
		collect(a)
		wantBusy(t, b.Lock("db"))
		mustRelease(t, inner)
		collect(a)
		sleep(a.cfg.margin)
		wantFree(t, b.Lock("db"))
		wantBalanced(t, a, 0)
	})
}

// A goroutine that waits on the Done channel of a lease's context does not keep the lease. It is
// told of the loss, and has the stop margin to stop in, as after any loss.
func TestWaiterForTheEndOfADroppedLeaseIsToldBeforeOthersAreGranted(t *testing.T) {
	for name, claim := range map[string]func(*Manager) Claim{
		"one name":      func(m *Manager) Claim { return m.Lock("db") },
		"several names": func(m *Manager) Claim { return m.All(m.Lock("db"), m.Lock("log")) },
	} {
		t.Run(name, func(t *testing.T) {
			expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
				told := make(chan time.Time, 1)
				acquireAndDrop(t, claim(a), func(l *Lease) any {
					done := l.Context().Done()
					go func() {
						<-done
						told <- time.Now()
					}()
					return nil
				})
				granted := make(chan time.Time, 2)
				for _, name := range []string{"db", "log"} {
					go func() {
						l := mustAcquire(t, b.Lock(name))
						granted <- time.Now()
						mustRelease(t, l)
					}()
				}
				synctest.Wait()
				if name == "one name" {
					<-granted // of the other
				}
				collect(a)
				at := <-told
				for range max(1, len(claim(a).all)) {
					if after := (<-granted).Sub(at); after < a.cfg.margin {
						t.Errorf("granted to another %v after the holder was told, want %v", after, a.cfg.margin)
					}
				}
				wantBalanced(t, a, 0)
			})
		})
	}
}

// All parts of an All lease that is dropped end alike, also one that re-entered a grant of the
// caller: lost if a goroutine may wait for the end of one of them, else released.
func TestPartsOfADroppedLeaseEndAlike(t *testing.T) {
	for what, context := range map[string]func(*Lease){
		"no context":                   func(*Lease) {},
		"a context of the whole":       func(l *Lease) { l.Context() },
		"one of the re-entered part":   func(l *Lease) { l.Leases()[1].Context() },
		"one of a part of its own":     func(l *Lease) { l.Leases()[0].Context() },
		"one of another part":          func(l *Lease) { l.Leases()[2].Context() },
		"one of each part":             func(l *Lease) { eachPart(l, func(p *Lease) { p.Context() }) },
		"one of the whole and of each": func(l *Lease) { l.Context(); eachPart(l, func(p *Lease) { p.Context() }) },
	} {
		t.Run(what, func(t *testing.T) {
			expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
				outer := mustAcquire(t, a.Lock("b"))
				var ends []*lease
				all := a.All(a.Lock("a"), a.Lock("b").Reentrant(), a.Lock("c"))
				acquireAndDropUnder(t, outer.Context(), all, func(l *Lease) {
					context(l)
					ends = append(ends, l.lease)
					eachPart(l, func(p *Lease) { ends = append(ends, p.lease) })
				})
				collect(a)
				sleep(a.cfg.margin)
				for i, e := range ends {
					switch err := e.endedBy(); {
					case what == "no context":
						wantErr(t, err, ErrReleased)
					case err == nil:
						t.Errorf("lease %d of %d is still held", i, len(ends))
					default:
						wantLost(t, err, Dropped)
					}
				}
				wantBusy(t, b.Lock("b"))
				wantBalanced(t, a, 1)
				mustRelease(t, outer)
				for _, name := range []string{"a", "b", "c"} {
					wantFree(t, b.Lock(name))
				}
				wantBalanced(t, a, 0)
			})
		})
	}
}

func eachPart(l *Lease, f func(*Lease)) {
	for _, p := range l.Leases() {
		f(p)
	}
}

// A goroutine that waits for the end of a re-entrant lease has the stop margin, too: the grant goes
// to another no sooner, although the lease around it is released.
func TestWaiterForTheEndOfADroppedReentrantLeaseIsToldBeforeOthersAreGranted(t *testing.T) {
	for what, claim := range map[string]func(*Manager) Claim{
		"by itself":        func(m *Manager) Claim { return m.Lock("db").Reentrant() },
		"a part of an All": func(m *Manager) Claim { return m.All(m.Lock("db").Reentrant(), m.Lock("log")) },
	} {
		t.Run(what, func(t *testing.T) {
			expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
				outer := mustAcquire(t, a.Lock("db"))
				told := make(chan time.Time, 1)
				acquireAndDropUnder(t, outer.Context(), claim(a), func(l *Lease) {
					done := l.Context().Done()
					go func() {
						<-done
						told <- time.Now()
						mustRelease(t, outer)
					}()
				})
				granted := make(chan time.Time, 1)
				go func() {
					l := mustAcquire(t, b.Lock("db"))
					granted <- time.Now()
					mustRelease(t, l)
				}()
				synctest.Wait()
				collect(a)
				at := <-told
				if after := (<-granted).Sub(at); after < a.cfg.margin {
					t.Errorf("granted to another %v after the goroutine was told, want %v", after, a.cfg.margin)
				}
				wantBalanced(t, a, 0)
			})
		})
	}
}

func TestDroppedLeaseIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		m := newManager(t, newFake(), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		since := time.Now().UTC().Format("2006-01-02T15:04:05")
		token := acquireAndDrop(t, m.Lock("db"), func(l *Lease) any { return l.Token() })
		collect(m)
		for _, want := range []string{"dropped", "name=db", fmt.Sprintf("token=%d", token), "since=" + since} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, log.String())
			}
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// overEveryStore runs f in real time for each kind of store, with two managers on one store.
func overEveryStore(t *testing.T, f func(t *testing.T, a, b *Manager), opts ...Option) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			peer := open(t)
			opts := append(slices.Clone(patient), opts...)
			f(t, newManager(t, peer(), opts...), newManager(t, peer(), opts...))
		})
	}
}

// Where nothing is renewed, keepers look for dropped leases as often. On a very slow machine the
// lease may expire instead of being dropped, and goes to the next as well.
func TestDroppedLeaseGoesToTheNextOnEveryStore(t *testing.T) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			client := open(t)
			a, b := newManager(t, client(), WithTTL(backends.MinTTL)), newManager(t, client(), patient...)
			for kind, c := range claims(a) {
				acquireAndDropAtLast(t, c)
				l := acquireWhileCollecting(t, exclusive(b, c))
				if l == nil {
					t.Fatalf("%s: never released", kind)
				}
				mustRelease(t, l)
				wantBalanced(t, a, 0)
			}
		})
	}
}

// acquireAndDropAtLast is acquireAndDrop that tries again after a grant that came too late.
//
//go:noinline
func acquireAndDropAtLast(t *testing.T, c Claim) {
	t.Helper()
	for {
		l, err := c.Acquire(t.Context())
		if err == nil {
			releaseUseOrDrop(t, l, 2)
			return
		}
		wantErr(t, err, ErrUnavailable)
	}
}

// acquireWhileCollecting acquires while the garbage collector runs. It returns nil after five minutes.
func acquireWhileCollecting(t *testing.T, c Claim) *Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	type answer struct {
		l   *Lease
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		l, err := c.Acquire(ctx)
		answers <- answer{l, err}
	}()
	again := time.NewTicker(backends.MinTTL)
	defer again.Stop()
	for {
		select {
		case a := <-answers:
			if a.err != nil {
				t.Error(a.err)
			}
			return a.l
		case <-again.C:
			runtime.GC()
		}
	}
}

func releaseUseOrDrop(t *testing.T, l *Lease, choice int) {
	switch choice {
	case 0:
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	case 1:
		l.Context()
	}
}

// While leases are released, dropped and collected, no lease is released twice, and none is left.
func TestDroppingRacesReleasing(t *testing.T) {
	m := newManager(t, memory.New(), WithTTL(backends.MinTTL))
	sem := m.Semaphore("s", 1000)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 300 {
				l, err := sem.Permits(1).Acquire(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				releaseUseOrDrop(t, l, (i+g)%3)
				if i%20 == 0 {
					m.keeper("s").mail.Deliver(tick{}) // as its timer does
					runtime.GC()
				}
			}
		})
	}
	wg.Wait()
	l := acquireWhileCollecting(t, sem.Permits(1000))
	mustRelease(t, l)
	wantBalanced(t, m, 0)
}

func TestCloseEndsADroppedLease(t *testing.T) {
	expiringTwins(t, func(t *testing.T, a, b *Manager, _ *fake) {
		acquireAndDrop(t, a.Lock("db"), nil)
		sleep(a.cfg.ttl)
		runtime.GC()
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
		wantFree(t, b.Lock("db"))
		wantBalanced(t, a, 0)
	})
}

// Where nothing is renewed, a lease that is held in a bubble sets no timer. The bubble still
// notices goroutines that wait for each other for ever.
func TestHeldLeaseDoesNotHideADeadlockInABubble(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		synctest.Wait()
		if m.keeper("db").timer != nil || m.actor.patrol.on.Load() {
			t.Error("a timer goes on while a lease is held")
		}
		mustRelease(t, l)
	})
}
