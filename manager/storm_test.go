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

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/history"
)

// Goroutines of three managers want everything at once: locks, readers, writers and permits, with and without patience, one at a
// time and several. The history is checked: exclusion, capacity, tokens.
func TestStormKeepsEveryPromise(t *testing.T) {
	for name, opts := range map[string][]Option{
		"hand-offs": {WithLocalHandoffs(8, time.Millisecond)},
		"strict":    {WithLocalHandoffs(0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			store := memory.New()
			rounds := 2_000
			if testing.Short() || raceEnabled {
				rounds = 300
			}
			storm(t, rounds, newManager(t, store, opts...), newManager(t, store.Peer(), opts...), newManager(t, store.Peer(), opts...))
			for st, err := range store.Peer().List(context.Background()) {
				t.Errorf("the store still knows %+v, %v", st, err)
			}
		})
	}
}

// storm runs twelve goroutines over the managers of one store, and checks their history.
func storm(t *testing.T, rounds int, ms ...*Manager) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var buf history.Buffer
	rec := history.NewRecorder(&buf, "test")
	var wg sync.WaitGroup
	for g := range 12 {
		s := &stormer{t: t, m: ms[g%len(ms)], all: ms, rec: rec, name: fmt.Sprint(g), rnd: rand.New(rand.NewPCG(seed, uint64(g)))}
		wg.Go(func() {
			for range rounds {
				s.round()
			}
		})
	}
	wg.Wait()
	events, err := buf.Events()
	if err != nil {
		t.Fatal(err)
	}
	v := history.Check(events)
	t.Log(v)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	for _, m := range ms {
		if s := m.Stats(); s.Holding != 0 || s.Waiting != 0 || s.Totals.Acquisitions != s.Totals.Releases {
			t.Errorf("stats: %+v", s.Totals)
		}
	}
}

type stormer struct {
	t    *testing.T
	m    *Manager
	all  []*Manager
	rec  *history.Recorder
	name string
	rnd  *rand.Rand
}

func (s *stormer) claim() Claim {
	switch s.rnd.IntN(6) {
	case 0, 1:
		return s.m.Lock("lock")
	case 2:
		return s.m.RWLock("rw").Read()
	case 3:
		return s.m.RWLock("rw").Write()
	case 4:
		return s.m.Semaphore("sem", 5).Permits(1 + s.rnd.Int64N(5))
	default:
		return s.m.Lock(fmt.Sprint("name-", s.rnd.IntN(20)))
	}
}

func (s *stormer) round() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := s.claim()
	if s.rnd.IntN(8) == 0 {
		c = s.m.All(c, s.claim(), s.claim())
	}
	asked := history.Now()
	var l *Lease
	var err error
	switch s.rnd.IntN(4) {
	case 0:
		go cancel()
		l, err = c.Acquire(ctx)
	case 1:
		l, err = c.TryAcquire(ctx)
	default:
		l, err = c.Acquire(ctx)
	}
	if err != nil {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrTooLarge) {
			s.t.Error(err)
		}
		return
	}
	var holds []history.Hold
	for _, p := range l.Leases() {
		holds = append(holds, s.rec.Granted(history.Grant{
			Name: p.Name(), Capacity: p.req.cap, Weight: p.req.weight, Token: p.Token(), Holder: s.name, Asked: asked,
		}))
	}
	if len(holds) == 1 && s.m.caps.Detach && s.rnd.IntN(4) == 0 { // it goes on elsewhere, as the same hold
		l = s.pass(l)
	}
	for _, h := range holds {
		h.Ended()
	}
	mustRelease(s.t, l)
}

// pass detaches the lease and adopts it, once or more, with any manager.
func (s *stormer) pass(l *Lease) *Lease {
	for again := true; again; again = s.rnd.IntN(3) == 0 {
		old := l.Leases()[0]
		ticket, err := old.Detach(context.Background())
		mustRelease(s.t, l)
		n, e := s.all[s.rnd.IntN(len(s.all))].Adopt(context.Background(), ticket)
		if err = errors.Join(err, e); err != nil {
			s.t.Error(err)
			return l
		}
		if l = n; l.Token() != old.Token() {
			s.t.Errorf("%q: adopted with token %d, detached with %d", l.Name(), l.Token(), old.Token())
		}
	}
	return l
}

// The network of three managers breaks and heals at random, in every direction. Whoever believes to hold is alone, and every token is
// larger than all before it.
func TestStormOfFaultsNeverMakesTwoHolders(t *testing.T) {
	rounds := 20
	if testing.Short() || raceEnabled {
		rounds = 4
	}
	for range rounds {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			f := &faults{t: t, last: map[string]uint64{}, holder: map[string]*Lease{}, rnd: rand.New(rand.NewPCG(seed, 0))}
			first := newFake()
			clients := []*fake{first, first.peer(), first.store.client(3)}
			stop := time.Now().Add(20 * time.Minute)
			var wg sync.WaitGroup
			for _, c := range clients {
				f.all = append(f.all, newManager(t, c))
			}
			for i, m := range f.all {
				for g := range 4 {
					rnd := rand.New(rand.NewPCG(seed, uint64(10*i+g)))
					wg.Go(func() {
						for time.Now().Before(stop) {
							f.round(m, rnd)
						}
					})
				}
			}
			wg.Go(func() {
				for time.Now().Before(stop) {
					f.disturb(clients)
				}
				for _, c := range clients {
					c.set(nil, nil)
				}
			})
			wg.Wait()
			if f.grants < 100 || f.lost == 0 || f.passed == 0 {
				t.Errorf("seed %d: %d grants, %d lost, %d passed: no storm", seed, f.grants, f.lost, f.passed)
			}
			t.Logf("seed %d: %d grants, %d lost, %d passed", seed, f.grants, f.lost, f.passed)
		})
	}
}

type faults struct {
	t      *testing.T
	all    []*Manager
	mu     sync.Mutex
	rnd    *rand.Rand
	last   map[string]uint64
	holder map[string]*Lease

	grants, lost, passed int
}

func (f *faults) round(m *Manager, rnd *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.Int64N(int64(time.Minute))))
	defer cancel()
	name := string(rune('a' + rnd.IntN(2)))
	l, err := m.Lock(name).Acquire(ctx)
	if err != nil {
		time.Sleep(time.Duration(rnd.Int64N(int64(time.Second))))
		return
	}
	f.mu.Lock()
	f.grants++
	if h := f.holder[name]; h != nil && h.Valid() && l.Valid() {
		f.t.Errorf("%q: token %d granted while token %d is valid", name, l.Token(), h.Token())
	}
	if l.Token() <= f.last[name] {
		f.t.Errorf("%q: token %d after %d", name, l.Token(), f.last[name])
	}
	f.last[name], f.holder[name] = l.Token(), l
	f.mu.Unlock()
	linger := func() {
		select {
		case <-time.After(time.Duration(rnd.Int64N(int64(15 * time.Second)))):
		case <-l.Context().Done():
		}
	}
	linger()
	if rnd.IntN(4) == 0 {
		if l = f.pass(ctx, l, rnd); l == nil {
			return
		}
		linger()
	}
	f.ended(l.Release())
}

func (f *faults) ended(err error) {
	if errors.Is(err, ErrLost) {
		f.mu.Lock()
		f.lost++
		f.mu.Unlock()
	}
}

// pass detaches the lease and adopts it with any manager. It returns nil if that has failed.
func (f *faults) pass(ctx context.Context, l *Lease, rnd *rand.Rand) *Lease {
	ticket, err := l.Detach(ctx)
	if err != nil {
		f.ended(l.Release()) // if nothing has happened
		return nil
	}
	time.Sleep(time.Duration(rnd.Int64N(int64(15 * time.Second)))) // longer than the TTL, at times
	n, err := f.all[rnd.IntN(len(f.all))].Adopt(ctx, ticket)
	if err != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if name := l.Name(); n.Token() != l.Token() || f.last[name] != l.Token() {
		f.t.Errorf("%q: token %d adopted with %d; the last granted is %d", name, l.Token(), n.Token(), f.last[name])
	}
	f.holder[l.Name()] = n
	f.passed++
	return n
}

// disturb breaks one client's network in one way, for a while.
func (f *faults) disturb(clients []*fake) {
	c := clients[f.rnd.IntN(len(clients))]
	ops := []string{"acquire", "try", "renew", "release"}
	hooks := []func(context.Context, string) error{
		hang,
		slow(time.Duration(f.rnd.Int64N(int64(2 * DefaultTTL)))),
		func(context.Context, string) error { return errors.New("reset by peer") },
	}
	hook := hooks[f.rnd.IntN(len(hooks))]
	if f.rnd.IntN(3) != 0 {
		hook = only(ops[f.rnd.IntN(len(ops))], hook)
	}
	if f.rnd.IntN(2) == 0 {
		c.set(hook, nil)
	} else {
		c.set(nil, hook)
	}
	time.Sleep(time.Duration(f.rnd.Int64N(int64(30 * time.Second))))
	c.set(nil, nil)
	time.Sleep(time.Duration(f.rnd.Int64N(int64(10 * time.Second))))
}
