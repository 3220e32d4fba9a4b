package manager

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// scorer counts the results that callers got, independently of the manager's counters.
type scorer struct {
	acquired, released, lost          atomic.Uint64 // leases
	timedOut, cancelled, busy, failed atomic.Uint64 // calls
}

func (s *scorer) score(l *Lease, err error) {
	switch {
	case err == nil:
		s.acquired.Add(uint64(len(l.Leases())))
	case errors.Is(err, ErrBusy):
		s.busy.Add(1)
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrLost):
		s.failed.Add(1)
	case errors.Is(err, context.DeadlineExceeded):
		s.timedOut.Add(1)
	case errors.Is(err, context.Canceled):
		s.cancelled.Add(1)
	default:
		s.failed.Add(1)
	}
}

// ended counts the leases of l, one for each part, by how they ended.
func (s *scorer) ended(l *Lease) {
	parts := l.Leases()
	_ = l.Release()
	for _, p := range parts {
		if errors.Is(p.Err(), ErrLost) {
			s.lost.Add(1)
		} else {
			s.released.Add(1)
		}
	}
}

// agrees fails the test unless the manager has counted the same. With partial there may be leases
// that no caller has seen: parts that an All had before it failed.
func (s *scorer) agrees(t *testing.T, m *Manager, partial bool) {
	t.Helper()
	c := m.Stats().Totals
	for _, n := range []struct {
		what      string
		got, want uint64
	}{
		{"timed out", c.TimedOut, s.timedOut.Load()},
		{"cancelled", c.Cancelled, s.cancelled.Load()},
		{"busy", c.Busy, s.busy.Load()},
		{"failed", c.Failed, s.failed.Load()},
		{"held now", c.Acquisitions - c.Releases - c.Lost, s.acquired.Load() - s.released.Load() - s.lost.Load()},
		{"waits in the histogram", c.Waits.Count(), c.Acquisitions + c.TimedOut + c.Cancelled},
	} {
		if n.got != n.want {
			t.Errorf("%s: %d, want %d", n.what, n.got, n.want)
		}
	}
	if hidden := c.Acquisitions - s.acquired.Load(); hidden != 0 && !partial || hidden > c.Acquisitions {
		t.Errorf("%d acquisitions, %d leases were given out", c.Acquisitions, s.acquired.Load())
	}
	if !partial && c.Releases != s.released.Load() {
		t.Errorf("%d releases, want %d", c.Releases, s.released.Load())
	}
}

// player makes random calls, valid and invalid ones.
type player struct {
	*scorer
	m    *Manager
	rnd  *rand.Rand
	alls bool
}

// play makes one call.
func (p *player) play() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch p.rnd.IntN(8) {
	case 0:
		cancel()
	case 1:
		go cancel()
	case 2:
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(p.rnd.IntN(int(time.Millisecond))))
		defer stop()
	}
	c := p.claim()
	switch p.rnd.IntN(4) {
	case 0:
		l, err := c.TryAcquire(ctx)
		p.score(l, err)
		p.nest(l, err)
	case 1:
		p.do(ctx, c)
	default:
		l, err := c.Acquire(ctx)
		p.score(l, err)
		p.nest(l, err)
	}
}

func (p *player) do(ctx context.Context, c Claim) {
	var l *Lease
	err := c.Do(ctx, func(ctx context.Context) error {
		l = LeaseFrom(ctx)
		p.score(l, nil)
		return nil
	})
	if l == nil {
		p.score(nil, err)
		return
	}
	p.ended(l)
}

// nest ends the lease, if there is one, in some cases after a nested acquire with its context.
func (p *player) nest(l *Lease, err error) {
	if err != nil {
		return
	}
	defer p.ended(l)
	if p.rnd.IntN(3) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(l.Context(), 5*time.Millisecond)
	defer cancel()
	c := p.claim()
	if p.rnd.IntN(2) == 0 && l.req != nil { // the same again
		c = Claim{m: p.m, name: l.Name(), kind: l.req.kind, cap: l.req.cap, weight: l.req.weight}
	}
	if p.rnd.IntN(2) == 0 {
		c = c.Reentrant()
	}
	inner, err := c.Acquire(ctx)
	p.score(inner, err)
	if err == nil {
		p.ended(inner)
	}
}

func (p *player) claim() Claim {
	c := p.single()
	if p.alls && p.rnd.IntN(4) == 0 {
		c = p.m.All(c, p.single(), p.single())
	}
	return c
}

func (p *player) single() Claim {
	switch p.rnd.IntN(9) {
	case 0, 1:
		return p.m.Lock("lock")
	case 2:
		return p.m.RWLock("rw").Read()
	case 3:
		return p.m.RWLock("rw").Write()
	case 4, 5:
		return p.m.Semaphore("sem", 3).Permits(p.rnd.Int64N(5)) // none, some, too many
	case 6:
		return p.m.RWLock("lock").Read() // a mismatch, if it is in use
	case 7:
		return p.m.Lock("") // never
	default:
		return p.m.Lock(fmt.Sprint("name-", p.rnd.IntN(20)))
	}
}

// Each acquire counts once, as the result that its caller got. The leases held are those acquired
// and neither released nor lost.
func TestEveryAcquireEndsInOneCounterOnEveryStore(t *testing.T) {
	for alls, what := range map[bool]string{false: "singles", true: "alls"} {
		t.Run(what, func(t *testing.T) {
			overEveryStore(t, func(t *testing.T, a, b *Manager) {
				rounds := 1_000
				if testing.Short() || raceEnabled {
					rounds = 200
				}
				playOver(t, alls, rounds, a, b)
			}, WithStopMargin(10*time.Millisecond))
		})
	}
}

// The counters stay right when a network fails now and then and leases are lost.
func TestEveryAcquireEndsInOneCounterWhateverFails(t *testing.T) {
	for alls, what := range map[bool]string{false: "singles", true: "alls"} {
		t.Run(what, func(t *testing.T) { playOverABrokenNetwork(t, alls) })
	}
}

func playOverABrokenNetwork(t *testing.T, alls bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		var mu sync.Mutex
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		broken := func(ctx context.Context, _ string) error {
			mu.Lock()
			n := rnd.IntN(30)
			mu.Unlock()
			switch n {
			case 0:
				return errors.New("no route to host")
			case 1:
				return slow(3*time.Second)(ctx, "")
			}
			return slow(time.Millisecond)(ctx, "")
		}
		a, b := store, store.peer()
		a.set(broken, broken)
		b.set(broken, broken)
		playOver(t, alls, 100, newManager(t, a, WithTTL(time.Second)), newManager(t, b, WithTTL(time.Second)))
	})
}

func playOver(t *testing.T, alls bool, rounds int, ms ...*Manager) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	scores := make([]scorer, len(ms))
	var wg sync.WaitGroup
	for g := range 4 * len(ms) {
		i := g % len(ms)
		p := &player{scorer: &scores[i], m: ms[i], rnd: rand.New(rand.NewPCG(seed, uint64(g))), alls: alls}
		wg.Go(func() {
			for range rounds {
				p.play()
			}
		})
	}
	wg.Wait()
	for i, m := range ms {
		c := m.Stats().Totals
		t.Logf("%d acquired, %d released, %d lost, %d timed out, %d cancelled, %d busy, %d failed, %d contended",
			c.Acquisitions, c.Releases, c.Lost, c.TimedOut, c.Cancelled, c.Busy, c.Failed, c.Contended)
		scores[i].agrees(t, m, alls)
		held, err := m.Lock("held").Acquire(t.Context())
		scores[i].score(held, err)
		scores[i].agrees(t, m, alls)
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if held != nil {
			scores[i].ended(held)
		}
		late := &player{scorer: &scores[i], m: m, rnd: rand.New(rand.NewPCG(seed, 99)), alls: alls}
		for range 100 {
			late.play()
		}
		scores[i].agrees(t, m, alls)
	}
}

// One call of each kind, and the counters that it changes.
func TestWhereACallIsCounted(t *testing.T) {
	ctx := context.Background()
	done, cancel := context.WithCancel(ctx)
	cancel()
	late, stop := context.WithDeadline(ctx, time.Now().Add(-time.Hour))
	defer stop()
	m := newManager(t, memory.New(), WithStopMargin(0))
	other := newManager(t, memory.New())
	l := mustAcquire(t, m.Lock("a"))
	enter := func(ctx context.Context, c Claim) error {
		l, err := c.Acquire(ctx)
		if err == nil {
			mustRelease(t, l)
		}
		return err
	}
	nothing := func(context.Context) error { return nil }
	for _, c := range []struct {
		what string
		call func() error
		want Counters
	}{
		{"granted", func() error { return enter(ctx, m.Lock("b")) }, Counters{Acquisitions: 1, Releases: 1}},
		{"Do", func() error { return m.Lock("b").Do(ctx, nothing) }, Counters{Acquisitions: 1, Releases: 1}},
		{"Lead", func() error { return m.Lead(ctx, "b", func(context.Context, uint64) error { return nil }) }, Counters{Acquisitions: 1, Releases: 1}},
		{"re-entered", func() error { return enter(l.Context(), m.Lock("a").Reentrant()) }, Counters{Acquisitions: 1, Releases: 1}},
		{"an All of two", func() error { return enter(ctx, m.All(m.Lock("b"), m.Lock("c"))) }, Counters{Acquisitions: 2, Releases: 2}},
		{"an All of nothing", func() error { return enter(ctx, m.All()) }, Counters{}},
		{"an All that fails", func() error { _, err := m.All(m.Lock("0"), m.Lock("a"), m.Lock("b")).TryAcquire(ctx); return err }, Counters{Busy: 1}},
		{"an All with a done context", func() error { return enter(done, m.All(m.Lock("b"), m.Lock("c"))) }, Counters{Cancelled: 1}},
		{"an All that contradicts itself", func() error { return enter(ctx, m.All(m.Lock("b"), m.RWLock("b").Read())) }, Counters{Failed: 1}},
		{"an All of another manager's", func() error { return enter(ctx, m.All(m.Lock("b"), other.Lock("c"))) }, Counters{Failed: 1}},
		{"busy", func() error { _, err := m.Lock("a").TryAcquire(ctx); return err }, Counters{Busy: 1}},
		{"waits for itself", func() error { return enter(l.Context(), m.Lock("a")) }, Counters{Failed: 1}},
		{"a mismatch", func() error { return enter(ctx, m.RWLock("a").Read()) }, Counters{Failed: 1}},
		{"too much", func() error { return enter(ctx, m.Semaphore("s", 2).Permits(3)) }, Counters{Failed: 1}},
		{"no name", func() error { return enter(ctx, m.Lock("")) }, Counters{Failed: 1}},
		{"a bad option", func() error { _, err := m.Lock("b").Acquire(ctx, AcquireOption{}); return err }, Counters{Failed: 1}},
		{"no context", func() error { return enter(nil, m.Lock("b")) }, Counters{Failed: 1}},
		{"no function", func() error { return m.Lock("b").Do(ctx, nil) }, Counters{Failed: 1}},
		{"a done context", func() error { return enter(done, m.Lock("a")) }, Counters{Cancelled: 1}},
		{"one of a name not in use", func() error { return enter(done, m.Lock("new")) }, Counters{Cancelled: 1}},
		{"a deadline that is over", func() error { return enter(late, m.Lock("a")) }, Counters{TimedOut: 1}},
		{"after Close", func() error {
			if err := m.Close(ctx); err != nil {
				t.Error(err)
			}
			return enter(ctx, m.Lock("a"))
		}, Counters{Failed: 1, Lost: 1}},
	} {
		before := m.Stats().Totals
		err := c.call()
		after := m.Stats().Totals
		got := Counters{
			Acquisitions: after.Acquisitions - before.Acquisitions, Releases: after.Releases - before.Releases,
			TimedOut: after.TimedOut - before.TimedOut, Cancelled: after.Cancelled - before.Cancelled,
			Busy: after.Busy - before.Busy, Failed: after.Failed - before.Failed, Lost: after.Lost - before.Lost,
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: counted as %+v, want %+v (%v)", c.what, got, c.want, err)
		}
	}
	wantErr(t, l.Release(), ErrLost)
}

// Contended counts the acquires that others keep waiting. An acquire of a free name never counts,
// also when the keeper has to ask the store, and whichever way it asks.
func TestContendedCountsOnlyContentionOnEveryStore(t *testing.T) {
	overEveryStore(t, func(t *testing.T, a, b *Manager) {
		contended := func(what string, want uint64, f func()) {
			t.Helper()
			before := a.Stats().Totals.Contended
			f()
			if n := a.Stats().Totals.Contended - before; n != want {
				t.Errorf("%s: %d contended, want %d", what, n, want)
			}
		}
		begin := func(ctx context.Context, c Claim) <-chan error {
			done := make(chan error, 1)
			go func() {
				l, err := c.Acquire(ctx)
				if err == nil {
					err = l.Release()
				}
				done <- err
			}()
			waitFor(t, func() bool { return a.Stats().Waiting > 0 })
			return done
		}
		free := func() {
			for i := range 20 {
				for _, c := range claims(a) {
					mustRelease(t, mustAcquire(t, c))
				}
				mustRelease(t, mustAcquire(t, a.Lock(fmt.Sprint("new-", i))))
			}
		}
		contended("free names", 0, free)
		contended("readers together", 0, func() {
			mustRelease(t, mustAcquire(t, a.RWLock("rw").Read()), mustAcquire(t, a.RWLock("rw").Read()))
		})
		for kind, c := range claims(a) {
			if c.all != nil {
				continue
			}
			for who, m := range map[string]*Manager{"this process": a, "another": b} {
				contended(kind+" held by "+who+", and given up", 1, func() {
					l := mustAcquire(t, exclusive(m, c))
					ctx, cancel := context.WithCancel(t.Context())
					done := begin(ctx, c)
					waitFor(t, func() bool { return stands(a, c.name) })
					cancel()
					wantErr(t, <-done, context.Canceled)
					mustRelease(t, l)
				})
				contended(kind+" held by "+who+", tried", 0, func() {
					l := mustAcquire(t, exclusive(m, c))
					_, err := c.TryAcquire(t.Context())
					wantErr(t, err, ErrBusy)
					mustRelease(t, l)
				})
				contended(kind+" held by "+who+", and granted", 1, func() {
					l := mustAcquire(t, exclusive(m, c))
					done := begin(t.Context(), c)
					if m == b { // else the request may reach the store when the name is free again
						waitFor(t, func() bool { return queuedAtStore(t, b, c.name) })
					}
					mustRelease(t, l)
					wantErr(t, <-done, nil)
				})
			}
			contended(kind+", free again", 0, func() {
				for range 20 {
					mustRelease(t, mustAcquire(t, c))
				}
			})
		}
	})
}

func queuedAtStore(t *testing.T, m *Manager, name string) bool {
	t.Helper()
	s, err := m.Inspect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return len(s.Waiters) > 0
}

// stands reports whether the head of the queue is known to be in the store's queue, or need not be.
func stands(m *Manager, name string) bool {
	yes := make(chan bool)
	k := m.keeper(name)
	k.mail.Deliver(tally(func(*Counters) { go func(c *call) { yes <- c == nil || c.op.sent.Load() }(k.atStore) }))
	return <-yes
}

// waitFor calls a condition that gives no signal until it is true.
func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatal("never came true")
		}
		<-again.C
	}
}

// An All that takes a lost part again counts an acquisition for each time that it had a part, and
// nothing for the wait that the loss interrupted.
func TestAllThatTakesAPartAgainCountsNoFailure(t *testing.T) {
	twins(t, func(t *testing.T, m, other *Manager) {
		score := func(ctx context.Context, free bool) Counters {
			before := m.Stats().Totals
			y := mustAcquire(t, other.Lock("y"))
			w := startWith(ctx, m.All(m.Lock("x"), m.Lock("y")))
			if err := m.Break(t.Context(), "x"); err != nil {
				t.Error(err)
			}
			w.stillWaiting(t)
			if free {
				mustRelease(t, y)
				mustRelease(t, w.granted(t))
			} else {
				<-w.done
				mustRelease(t, y)
			}
			c := m.Stats().Totals
			return Counters{
				Acquisitions: c.Acquisitions - before.Acquisitions, Lost: c.Lost - before.Lost,
				TimedOut: c.TimedOut - before.TimedOut, Cancelled: c.Cancelled - before.Cancelled, Failed: c.Failed - before.Failed,
			}
		}
		if got, want := score(t.Context(), true), (Counters{Acquisitions: 3, Lost: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("granted: %+v, want %+v", got, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if got, want := score(ctx, false), (Counters{Acquisitions: 2, Lost: 1, TimedOut: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("given up: %+v, want %+v", got, want)
		}
		wantBalanced(t, m, 0)
	})
}

func TestTimedOutWaitsAreInTheHistogram(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("db"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := m.Lock("db").Acquire(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		if w := row(m, "db").Waits; w.Count() != 2 || w.Quantile(1) < 3*time.Second || w.Quantile(0) > time.Microsecond {
			t.Errorf("waits: %v", w)
		}
		mustRelease(t, l)
	})
}
