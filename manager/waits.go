package manager

import (
	"cmp"
	"slices"

	"github.com/lockkeeper/lockkeeper/actor"
)

// waits knows which owners of this process hold something and wait for something else, and refuses
// the wait that would close a deadlock. Only such waits pass through it: an acquire with an ordinary
// context costs nothing here.
//
// Owns: the registered waits. Takes: watch from keepers, forget from the goroutines that waited.
//
// The model is the resource graph of R. C. Holt, "Some deadlock properties of computer systems",
// ACM Computing Surveys 4(3), 1972, with the queues added. A wait ends when the requests before it
// in its queue are granted and enough permits come free. An owner gives back what it holds unless one
// of its own waits still goes on. Waits that can end so are struck off, with what they keep from
// being given back, until nothing changes; waits that are left are deadlocked. Holders without a
// registered wait can always release, and so can other processes.
//
// Only a new wait of an owner closes a deadlock, since every other event takes waits away, or
// replaces them by grants that nothing keeps.
// So each wait is examined once, when it is registered, against those registered before it, and what
// is examined is what depends on it. That is exact although keepers go on meanwhile: all that a
// deadlock is made of (this request waits, that one stands before it, this lease is held) was so
// before the examination began, and once it ends never comes back; what the examination still
// finds was all there at once when it began.
//
// Costs: O(edges) of what depends on the new wait; a look at its own leases where nobody waits for
// them.
type waits struct {
	mail  *actor.OnDemand[errand]
	n     int    // registered
	round uint64 // of examinations
}

// wait is a registered wait.
type wait struct {
	*request
	larger []*request // requests of more weight that were queued before it

	// Of an examination.
	owns []*request // the grants of its owner, each once for each lease on it
	need int64      // permits that must be free, or come free, for it to end
}

// site is a name that owners wait for. It belongs to waits, although its keeper leads to it.
type site struct {
	k     *keeper
	waits map[*request]*wait // registered

	// Of an examination.
	round   uint64
	kept    int64   // permits that only the end of a wait gives back
	left    []*wait // not struck off, the most demanding first
	keepers []*wait // of those left, whose owners hold a part of kept
	from    *site   // on the way back
}

type (
	watch  struct{ *wait }
	forget struct{ *request }
)

func newWaits() *waits {
	w := &waits{}
	w.mail = actor.NewOnDemand("lockkeeper/manager.waits", w.receive, func(errand, *actor.PanicError) {})
	return w
}

// watchOwner registers a request of an owner that waits behind others of this process. It is the
// last in its keeper's queue.
func (k *keeper) watchOwner(r *request) {
	w := &wait{request: r}
	if r.weight < k.cap {
		for q := k.queue.head; q != r; q = q.next {
			if q.weight > r.weight && !q.try {
				w.larger = append(w.larger, q)
			}
		}
	}
	r.registered.Store(true)
	k.m.waits.mail.Tell(watch{w})
}

// unwatch is called by the goroutine that waited, when it does no longer. If its request is
// registered later than that, it is not pending, and so is not kept.
func (r *request) unwatch() {
	if r.registered.Load() {
		r.k.m.waits.mail.Tell(forget{r})
	}
}

func (w *waits) receive(msg errand) {
	switch msg := msg.(type) {
	case forget:
		w.remove(msg.request)
	case watch:
		if msg.state.Load() != pending {
			return
		}
		w.add(msg.wait)
		if cycle := w.examine(msg.wait); cycle != nil {
			w.remove(msg.request)
			msg.denied = true
			msg.k.mail.Tell(deny{msg.request, &DeadlockError{Cycle: cycle}})
		}
	}
}

func (w *waits) add(r *wait) {
	if r.k.site == nil {
		r.k.site = &site{k: r.k, waits: make(map[*request]*wait)}
	}
	r.k.site.waits[r.request] = r
	w.n++
}

func (w *waits) remove(r *request) {
	if s := r.k.site; s != nil && s.waits[r] != nil {
		delete(s.waits, r)
		w.n--
	}
}

// examine returns the names on a way from the new wait back to itself, nil if it is not deadlocked.
func (w *waits) examine(last *wait) []string {
	sites := w.reach(last)
	if last.k.site.round != w.round {
		return nil // nothing that is in its way depends on it
	}
	for _, s := range sites {
		s.take()
	}
	strike(sites)
	cycle := last.cycle(sites)
	for _, s := range sites { // what is struck off has cleared its marks
		for _, u := range s.left {
			for _, g := range u.owns {
				g.keptBy = 0
			}
		}
		s.left, s.keepers = nil, nil
	}
	return cycle
}

// reach returns the names whose waits may depend on the wait.
func (w *waits) reach(last *wait) (sites []*site) {
	w.round++
	visit := func(u *wait) {
		for l := u.outer; l != nil; l = l.outer {
			if l.req == nil || l.req.k.m != u.k.m || l.end.Load() != nil {
				continue
			}
			if s := l.req.k.site; s != nil && s.round != w.round && len(s.waits) > 0 {
				s.round, s.kept = w.round, 0
				sites = append(sites, s)
			}
		}
	}
	visit(last)
	for done := 0; done < len(sites); { // which grows meanwhile
		for _, u := range sites[done].waits {
			visit(u)
		}
		done++
	}
	return sites
}

// take takes the waits of a name in, with what they need and what they keep. Each is looked at once.
func (s *site) take() {
	for _, u := range s.waits {
		if u.state.Load() != pending {
			continue
		}
		u.need = u.weight
		for _, q := range u.larger {
			if q.weight > u.need && q.state.Load() == pending && !q.denied {
				u.need = q.weight
			}
		}
		s.left = append(s.left, u)
		u.owns = u.owns[:0]
		for l := u.outer; l != nil; l = l.outer {
			g := l.req
			if g == nil || g.k.m != u.k.m || g.k.site == nil || g.k.site.round != s.round || l.end.Load() != nil {
				continue
			}
			u.owns = append(u.owns, g)
			if g.keptBy++; g.keptBy == 1 {
				g.k.site.kept += g.weight
			}
		}
	}
	slices.SortFunc(s.left, func(a, b *wait) int { return cmp.Compare(b.need, a.need) })
}

// strike strikes off the waits that can end, until nothing changes.
func strike(sites []*site) {
	todo := slices.Clone(sites)
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for i := len(s.left) - 1; i >= 0 && s.left[i].need+s.kept <= s.left[i].cap; i-- {
			for _, g := range s.left[i].owns {
				if g.keptBy--; g.keptBy == 0 {
					g.k.site.kept -= g.weight
					todo = append(todo, g.k.site)
				}
			}
			s.left = s.left[:i]
		}
	}
}

// cycle returns the shortest way over waits that are left, from the wait to what its owner holds.
// There is none if the wait is not left, or only stands behind a deadlock, of which another is told.
func (r *wait) cycle(sites []*site) (names []string) {
	for _, s := range sites {
		s.from = nil
		for _, u := range s.left {
			for _, g := range u.owns {
				g.k.site.keepers = append(g.k.site.keepers, u)
			}
		}
	}
	start := r.k.site
	for ways := []*site{start}; len(ways) > 0; ways = ways[1:] {
		for _, u := range ways[0].keepers {
			if u == r {
				for s := ways[0]; s != start; s = s.from {
					names = append(names, s.k.name)
				}
				names = append(names, start.k.name)
				slices.Reverse(names)
				return names
			}
			if s := u.k.site; s != start && s.from == nil {
				s.from = ways[0]
				ways = append(ways, s)
			}
		}
	}
	return nil
}
