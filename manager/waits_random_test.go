package manager

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// Owners acquire, release, cancel and lose at random. After each step, some order of releases
// grants every wait that is left, and no order would have granted an acquire that was refused as a
// deadlock. The test tries all orders. LOCKKEEPER_LONG=1 takes 10 000 runs.
func TestDeadlocksAreToldWhereNoOrderOfReleasesHelpsAndNowhereElse(t *testing.T) {
	told, waited, plays := 0, 0, 150
	if testing.Short() || raceEnabled {
		plays = 40
	}
	if os.Getenv("LOCKKEEPER_LONG") != "" {
		plays = 10_000
	}
	for seed := range uint64(plays) {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			p := &play{
				t: t, m: newManager(t, store), other: newManager(t, store.Peer()),
				rnd: rand.New(rand.NewPCG(seed, 12)),
			}
			for range 40 {
				p.step()
				if t.Failed() {
					t.Fatalf("seed %d: %v", seed, p.log)
				}
			}
			told, waited = told+p.told, waited+p.waited
			p.end()
		})
	}
	if told < 2*plays || waited < 10*plays {
		t.Errorf("%d deadlocks and %d waits: too few to mean anything", told, waited)
	}
}

// play is one run.
type play struct {
	t        *testing.T
	m, other *Manager
	rnd      *rand.Rand
	held     []*Lease
	foreign  []*Lease
	waits    []*waiter
	log      []string

	told, waited int
}

func (p *play) step() {
	switch n := p.rnd.IntN(20); {
	case n < 11 && len(p.held) < 7 && len(p.waits) < 5:
		p.acquire()
	case n < 15 && len(p.held) > 0:
		p.release(p.rnd.IntN(len(p.held)))
	case n < 17 && len(p.waits) > 0:
		p.logf("cancel")
		p.waits[p.rnd.IntN(len(p.waits))].cancel(nil)
	case n < 18:
		name := p.name()
		p.logf("break %s", name)
		if err := p.m.Break(context.Background(), name); err != nil {
			p.t.Error(err)
		}
	case n < 19:
		if l, err := p.single(p.other, p.name()).TryAcquire(context.Background()); err == nil {
			p.logf("foreign %s", l.Name())
			p.foreign = append(p.foreign, l)
		}
	case len(p.foreign) > 0:
		p.logf("foreign release %s", p.foreign[0].Name())
		_ = p.foreign[0].Release() // it may have been broken
		p.foreign = p.foreign[1:]
	}
	p.collect()
	g := p.graph()
	for _, w := range g.waits() {
		if !g.canEnd(w) {
			p.t.Errorf("a wait for %s can never end, and no acquire failed with ErrDeadlock", w.items[0].k.name)
		}
	}
}

func (p *play) logf(format string, args ...any) { p.log = append(p.log, fmt.Sprintf(format, args...)) }

func (p *play) name() string { return []string{"m", "n", "rw", "s2", "s3"}[p.rnd.IntN(5)] }

// single returns a claim to the name.
func (p *play) single(m *Manager, name string) Claim {
	switch name {
	case "rw":
		if p.rnd.IntN(2) == 0 {
			return m.RWLock(name).Write()
		}
		return m.RWLock(name).Read()
	case "s2":
		return m.Semaphore(name, 2).Permits(1 + p.rnd.Int64N(2))
	case "s3":
		return m.Semaphore(name, 3).Permits(1 + p.rnd.Int64N(3))
	}
	return m.Lock(name)
}

// acquire begins an acquire, in most cases by an owner that holds something already.
func (p *play) acquire() {
	ctx := context.Background()
	if len(p.held) > 0 && p.rnd.IntN(4) > 0 {
		ctx = context.WithoutCancel(p.held[p.rnd.IntN(len(p.held))].Context())
	}
	c := p.single(p.m, p.name())
	if p.rnd.IntN(5) == 0 {
		c = c.Reentrant()
	}
	before := p.graph()
	if p.rnd.IntN(3) == 0 {
		c = p.m.All(c, p.single(p.m, p.name()), p.single(p.m, p.name()))
	}
	p.logf("acquire %s %d of %v, with %v", c.name, c.weight, names(c.all), names(owned(holder(ctx))))
	w := startWith(ctx, c)
	p.waits = append(p.waits, w)
	if !w.waiting() && errors.Is(w.err, ErrDeadlock) && before.canGrant(c, owned(holder(ctx))) {
		p.t.Errorf("refused with %v, but some order of releases grants it", w.err)
	}
}

// canGrant says whether some order of releases grants a new claim of an owner that holds these.
func (g *refGraph) canGrant(c Claim, keeps []*request) bool {
	claims := []Claim{c}
	if c.all != nil {
		claims, _ = c.merged()
	}
	w := &refWait{several: c.all != nil, keeps: keeps}
	for _, c := range claims {
		if !c.reentrant || !slices.ContainsFunc(keeps, func(r *request) bool {
			return r.k.name == c.name && r.weight >= c.weight
		}) {
			k := &keeper{name: c.name}
			g.add(w, &request{k: k, cap: c.cap, weight: c.weight, number: math.MaxUint64})
		}
	}
	return g.canEnd(w)
}

func (p *play) release(i int) {
	p.logf("release %s", p.held[i].Name())
	if err := p.held[i].Release(); err != nil && !errors.Is(err, ErrLost) {
		p.t.Error(err)
	}
	p.held = slices.Delete(p.held, i, i+1)
}

// collect takes the results of acquires and releases lost leases, until nothing changes.
func (p *play) collect() {
	for again := true; again; {
		again = false
		synctest.Wait()
		p.waits = slices.DeleteFunc(p.waits, func(w *waiter) bool {
			if w.waiting() {
				p.waited++
				return false
			}
			again = true
			switch {
			case w.err == nil:
				p.held = append(p.held, w.lease)
			case errors.Is(w.err, ErrDeadlock):
				p.told++
				p.logf("%v", w.err)
			case !errors.Is(w.err, context.Canceled) && !errors.Is(w.err, ErrTooLarge) &&
				!errors.Is(w.err, ErrMismatch):
				p.t.Errorf("acquire: %v", w.err)
			}
			return true
		})
		for i := len(p.held) - 1; i >= 0; i-- {
			if !p.held[i].Valid() {
				p.release(i)
				again = true
			}
		}
	}
}

// end releases everything. Every wait must end.
func (p *play) end() {
	for _, l := range p.foreign {
		_ = l.Release()
	}
	for p.collect(); len(p.held) > 0; p.collect() {
		p.release(len(p.held) - 1)
	}
	if len(p.waits) > 0 || p.m.waits.n > 0 {
		p.t.Errorf("%d acquires wait and %d waits are watched at the end", len(p.waits), p.m.waits.n)
	}
}

func names[T any](xs []T) (out []string) {
	for _, x := range xs {
		switch x := any(x).(type) {
		case Claim:
			out = append(out, fmt.Sprintf("%s %d", x.name, x.weight))
		case *request:
			out = append(out, fmt.Sprintf("%s %d", x.k.name, x.weight))
		}
	}
	return out
}
