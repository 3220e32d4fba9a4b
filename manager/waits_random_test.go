package manager

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// Owners acquire, release, cancel and lose at random. After each step, some order of releases
// grants every wait that is left, and no order would have granted an acquire that was refused as a
// deadlock. The test tries all orders.
func TestDeadlocksAreToldWhereNoOrderOfReleasesHelpsAndNowhereElse(t *testing.T) {
	told, waited, plays := 0, 0, 150
	if testing.Short() || raceEnabled {
		plays = 40
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
	for _, w := range g.waits {
		if !g.canEnd(w) {
			p.t.Errorf("a wait for %s can never end, and no acquire failed with ErrDeadlock", w.site)
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
	if p.rnd.IntN(4) == 0 {
		c = p.m.All(c, p.single(p.m, p.name()), p.single(p.m, p.name()))
	}
	p.logf("acquire %s %d of %v, with %v", c.name, c.weight, names(c.all), names(owned(holder(ctx))))
	w := startWith(ctx, c)
	p.waits = append(p.waits, w)
	if !w.waiting() && errors.Is(w.err, ErrDeadlock) && c.all == nil {
		r := &refWait{site: c.name, weight: c.weight, keeps: owned(holder(ctx))}
		before.add(r, c.cap)
		if before.canEnd(r) {
			p.t.Errorf("refused with %v, but some order of releases grants it", w.err)
		}
	}
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

// refGraph is the graph of holders and waits, read from keepers at rest.
type refGraph struct {
	capacity map[string]int64
	holders  map[*request]int64 // what is held of the name
	waits    []*refWait         // in the order of their queues
	seen     map[string]bool
}

type refWait struct {
	site   string
	weight int64
	keeps  []*request
}

func (p *play) graph() *refGraph {
	synctest.Wait()
	g := &refGraph{capacity: map[string]int64{}, holders: map[*request]int64{}}
	ks, _ := p.m.dir.all(false)
	for _, k := range ks {
		g.capacity[k.name] = k.cap
		for r := k.holders.head; r != nil; r = r.next {
			g.holders[r] = r.weight
		}
		for r := k.queue.head; r != nil; r = r.next {
			g.waits = append(g.waits, &refWait{k.name, r.weight, owned(r.outer)})
		}
	}
	return g
}

func (g *refGraph) add(w *refWait, capacity int64) {
	g.capacity[w.site] = capacity
	g.waits = append(g.waits, w)
}

// owned returns the grants of the held leases, from the given one outwards.
func owned(l *lease) (gs []*request) {
	for ; l != nil; l = l.outer {
		if l.req != nil && l.err() == nil {
			gs = append(gs, l.req)
		}
	}
	return gs
}

// canEnd tries all orders in which owners that do not wait can release.
func (g *refGraph) canEnd(w *refWait) bool {
	g.seen = make(map[string]bool)
	var held []refHold
	for r, weight := range g.holders {
		held = append(held, refHold{r.k.name, weight, r})
	}
	slices.SortFunc(held, func(a, b refHold) int { return cmpHold(a, b) })
	return g.search(w, held, g.waits)
}

type refHold struct {
	site   string
	weight int64
	grant  any // *request, or the *refWait that it was granted to
}

func cmpHold(a, b refHold) int {
	return slices.Compare([]string{a.site, fmt.Sprintf("%p", a.grant)}, []string{b.site, fmt.Sprintf("%p", b.grant)})
}

func (g *refGraph) search(target *refWait, held []refHold, waits []*refWait) bool {
	held, waits = g.grant(held, waits)
	if !slices.Contains(waits, target) {
		return true
	}
	key := fmt.Sprint(held, waits)
	if g.seen[key] {
		return false
	}
	g.seen[key] = true
	for i, h := range held {
		kept := slices.ContainsFunc(waits, func(w *refWait) bool {
			r, ok := h.grant.(*request)
			return ok && slices.Contains(w.keeps, r)
		})
		if !kept && g.search(target, slices.Delete(slices.Clone(held), i, i+1), waits) {
			return true
		}
	}
	return false
}

// grant grants the heads of the queues what is free.
func (g *refGraph) grant(held []refHold, waits []*refWait) ([]refHold, []*refWait) {
	held = slices.Clone(held)
	blocked := make(map[string]bool)
	var left []*refWait
	for _, w := range waits {
		used := int64(0)
		for _, h := range held {
			if h.site == w.site {
				used += h.weight
			}
		}
		if blocked[w.site] || used+w.weight > g.capacity[w.site] {
			blocked[w.site] = true
			left = append(left, w)
			continue
		}
		held = append(held, refHold{w.site, w.weight, w})
	}
	return held, left
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

// Graphs that random play rarely reaches: many waits of one owner, some refused or cancelled.
func TestExaminationAgreesWithAllOrdersOfReleases(t *testing.T) {
	told, graphs := 0, 1500
	if testing.Short() || raceEnabled {
		graphs = 300
	}
	for seed := range uint64(graphs) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		m, ws, g := &Manager{}, newWaits(), &refGraph{capacity: map[string]int64{}, holders: map[*request]int64{}}
		var grants []*request
		var ks []*keeper
		for i := range 4 {
			k := &keeper{m: m, name: fmt.Sprint(i), cap: 1 + rnd.Int64N(4)}
			ks = append(ks, k)
			g.capacity[k.name] = k.cap
			for free := k.cap; free > 0 && rnd.IntN(4) > 0; {
				r := &request{k: k, cap: k.cap, weight: 1 + rnd.Int64N(free)}
				r.req = r
				free -= r.weight
				g.holders[r] = r.weight
				grants = append(grants, r)
			}
		}
		queues := make(map[*keeper][]*request)
		refs := make(map[*request]*refWait)
		leave := func(r *request) {
			g.waits = slices.DeleteFunc(g.waits, func(w *refWait) bool { return w == refs[r] })
		}
		for range 9 {
			k := ks[rnd.IntN(len(ks))]
			r := &request{k: k, cap: k.cap, weight: 1 + rnd.Int64N(k.cap)}
			w := &wait{request: r}
			for _, q := range queues[k] {
				if q.weight > r.weight {
					w.larger = append(w.larger, q)
				}
			}
			queues[k] = append(queues[k], r)
			refs[r] = &refWait{site: k.name, weight: r.weight}
			g.waits = append(g.waits, refs[r])
			if len(grants) == 0 || rnd.IntN(4) == 0 {
				continue // of a caller that holds nothing
			}
			for range 1 + rnd.IntN(3) {
				r.outer = &lease{req: grants[rnd.IntN(len(grants))], outer: r.outer}
			}
			refs[r].keeps = owned(r.outer)
			ws.add(w)
			cycle := ws.examine(w)
			if (cycle == nil) != g.canEnd(refs[r]) {
				t.Fatalf("seed %d: got cycle %q", seed, cycle)
			}
			if cycle != nil {
				told++
				ws.remove(r)
				leave(r)
				r.denied = true
			}
			if old := queues[k][rnd.IntN(len(queues[k]))]; rnd.IntN(4) == 0 {
				old.state.Store(abandoned)
				leave(old)
			}
		}
	}
	if told < graphs {
		t.Errorf("%d deadlocks: too few to mean anything", told)
	}
}
