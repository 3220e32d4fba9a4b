package manager

import (
	"maps"
	"slices"
	"testing/synctest"
)

// refGraph is a state of holders and waits. It answers by trying all orders of releases.
type refGraph struct {
	capacity map[string]int64
	items    []*refItem
	state    refState
	seen     map[refState]bool
}

// refState says which items are held and which are queued, and the operations of which requests for
// several names have started, by the bit of their first item.
type refState struct{ held, queued, started uint64 }

// refItem is permits of a name that are held or waited for.
type refItem struct {
	*request
	wait *refWait // nil: the grant of a lease
	bit  uint64
}

type refWait struct {
	items   []*refItem
	several bool
	keeps   []*request
}

func newRefGraph() *refGraph { return &refGraph{capacity: map[string]int64{}} }

func (g *refGraph) item(r *request, w *refWait) *refItem {
	free := ^uint64(0)
	for _, it := range g.items {
		free &^= it.bit
	}
	it := &refItem{r, w, free & -free}
	if free == 0 {
		panic("too many items")
	}
	if w != nil {
		w.items = append(w.items, it)
	}
	g.items = append(g.items, it)
	g.capacity[r.k.name] = r.cap
	return it
}

func (g *refGraph) hold(r *request) { g.state.held |= g.item(r, nil).bit }

// add adds a wait for requests that are numbered in the order of their queues.
func (g *refGraph) add(w *refWait, rs ...*request) {
	for _, r := range rs {
		g.state.queued |= g.item(r, w).bit
	}
}

// remove removes what concerns the request.
func (g *refGraph) remove(r *request) {
	g.items = slices.DeleteFunc(g.items, func(it *refItem) bool {
		if it.request != r {
			return false
		}
		g.state.held &^= it.bit
		g.state.queued &^= it.bit
		g.state.started &^= it.bit
		return true
	})
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

func (g *refGraph) waits() []*refWait {
	set := map[*refWait]bool{}
	for _, it := range g.items {
		if it.wait != nil {
			set[it.wait] = true
		}
	}
	return slices.Collect(maps.Keys(set))
}

// waitsIn says whether any part is not granted.
func (w *refWait) waitsIn(s refState) bool {
	return slices.ContainsFunc(w.items, func(it *refItem) bool { return s.queued&it.bit != 0 })
}

// canEnd tries all orders in which owners that do not wait can release.
func (g *refGraph) canEnd(w *refWait) bool {
	g.seen = map[refState]bool{}
	return g.search(w, g.state)
}

func (g *refGraph) search(target *refWait, s refState) bool {
	s = g.settle(s)
	if !target.waitsIn(s) {
		return true
	}
	if g.seen[s] {
		return false
	}
	g.seen[s] = true
	for _, it := range g.items {
		if s.held&it.bit != 0 && !g.kept(it, s) {
			next := s
			next.held &^= it.bit
			if g.search(target, next) {
				return true
			}
		}
	}
	return false
}

// kept says whether a held item belongs to an owner that waits.
func (g *refGraph) kept(it *refItem, s refState) bool {
	if it.wait != nil {
		return it.wait.waitsIn(s)
	}
	return slices.ContainsFunc(g.items, func(o *refItem) bool {
		return o.wait != nil && slices.Contains(o.wait.keeps, it.request) && o.wait.waitsIn(s)
	})
}

// settle does what keepers and the store do by themselves.
func (g *refGraph) settle(s refState) refState {
	for again := true; again; {
		again = false
		for _, it := range g.items {
			if s.queued&it.bit == 0 || !g.first(it, s) {
				continue
			}
			if w := it.wait; w.several && s.started&w.items[0].bit == 0 {
				if !g.pinned(w, s) {
					continue
				}
				s.started |= w.items[0].bit
			}
			if used, _ := g.used(it, s); used+it.weight <= it.cap {
				s.queued &^= it.bit
				s.held |= it.bit
				again = true
			}
		}
	}
	return s
}

func (g *refGraph) first(it *refItem, s refState) bool {
	return !slices.ContainsFunc(g.items, func(o *refItem) bool {
		return o.k.name == it.k.name && s.queued&o.bit != 0 && o.number < it.number
	})
}

// pinned says whether all parts are first while nothing whole is held of their names.
func (g *refGraph) pinned(w *refWait, s refState) bool {
	return !slices.ContainsFunc(w.items, func(it *refItem) bool {
		_, whole := g.used(it, s)
		return whole || !g.first(it, s)
	})
}

func (g *refGraph) used(it *refItem, s refState) (used int64, whole bool) {
	for _, o := range g.items {
		if o.k.name == it.k.name && s.held&o.bit != 0 {
			used += o.weight
			whole = whole || o.weight == o.cap
		}
	}
	return used, whole
}

// graph reads the graph from keepers at rest.
func (p *play) graph() *refGraph {
	synctest.Wait()
	g := newRefGraph()
	all := map[*several]*refWait{}
	part := func(r *request) *refWait {
		s := r.several
		if s == nil {
			return &refWait{keeps: owned(r.outer)}
		}
		if all[s] == nil {
			all[s] = &refWait{several: true, keeps: owned(s.outer)}
		}
		return all[s]
	}
	ks, _ := p.m.dir.all(false)
	for _, k := range ks {
		for r := k.holders.head; r != nil; r = r.next {
			if r.several != nil && r.several.state.Load() == pending {
				g.state.held |= g.item(r, part(r)).bit
			} else {
				g.hold(r)
			}
		}
		for r := k.queue.head; r != nil; r = r.next {
			g.add(part(r), r)
		}
	}
	for s, w := range all {
		if s.missing.Load() == 0 {
			g.state.started |= w.items[0].bit
		}
	}
	return g
}
