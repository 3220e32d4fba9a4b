package manager

import (
	"cmp"
	"slices"

	"github.com/lockkeeper/lockkeeper/actor"
)

// waits knows the waits of owners, that is of callers whose context says that they hold a lease,
// and refuses a wait that closes a deadlock. An acquire with any other context costs nothing here.
//
// Owns: the registered waits. Takes: watch from keepers, forget from the goroutines that waited.
//
// The model is the resource graph of R. C. Holt, "Some deadlock properties of computer systems",
// ACM Computing Surveys 4(3), 1972, with the queues added. A wait can end when the requests before
// it in its queue are granted and enough permits come free. An owner can release what it holds
// unless one of its own waits goes on. The examination strikes off waits that can end, and with
// them what they keep held, until nothing changes. The waits that are left are deadlocked. A holder
// without a registered wait can always release, and so can another process.
//
// Only a new wait closes a deadlock: every other event removes waits, or replaces them by grants
// whose holders can release. So each wait is examined once, when it is registered, together with
// the waits that depend on it. The result is exact although keepers go on meanwhile. Each fact of a
// deadlock (this request waits, that request is before it, this lease is held) began before the
// examination, and does not come back once it ends. So all facts that the examination still finds
// were true together when it began.
//
// Costs: O(edges) of the waits that depend on the new one. If there are none, a look at the leases
// of its owner.
type waits struct {
	mail  *actor.OnDemand[errand]
	n     int    // registered
	round uint64 // of examinations
}

// wait is a registered wait.
type wait struct {
	*request
	larger []*request // heavier requests that were queued before it

	// Of an examination.
	owns []*request // the grants of its owner, once for each lease on them
	need int64      // permits that must be free for it to end
}

// site is a name that owners wait for. It is owned by waits, although its keeper points to it.
type site struct {
	k     *keeper
	waits map[*request]*wait // registered

	// Of an examination.
	round    uint64  // of the last examination that reached it
	kept     int64   // permits whose owners wait, so that they come free only after a wait ends
	left     []*wait // not struck off, by falling need
	blockers []*wait // the waits left, of any name, whose owners hold permits of this one
	from     *site   // the site before it on the way from the new wait
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

// register has waits examine a request of an owner, which is the last in the keeper's queue.
func (k *keeper) register(r *request) {
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

// unregister is called by the goroutine that waited, when its wait is over. A request registered
// only after that is not pending, so waits does not keep it.
func (r *request) unregister() {
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

// examine returns the names of a cycle through the new wait, nil if the wait is in none.
func (w *waits) examine(last *wait) []string {
	sites := w.reach(last)
	if last.k.site.round != w.round {
		return nil // no wait for its name depends on it
	}
	for _, s := range sites {
		s.load()
	}
	strike(sites)
	cycle := last.cycle(sites)
	for _, s := range sites { // waits that were struck off have cleared their marks
		for _, u := range s.left {
			for _, g := range u.owns {
				g.keptBy = 0
			}
		}
		s.left, s.blockers = nil, nil
	}
	return cycle
}

// reach returns the sites whose waits may depend on the new wait.
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
	for done := 0; done < len(sites); { // visit appends to sites
		for _, u := range sites[done].waits {
			visit(u)
		}
		done++
	}
	return sites
}

// load reads the waits of a site that are pending: what each needs, and which grants it keeps held.
func (s *site) load() {
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

// cycle returns the names on the shortest way over waits that are left, from r to what its owner
// holds. There is none if r is not left, or is only queued behind a deadlock that others close.
func (r *wait) cycle(sites []*site) (names []string) {
	for _, s := range sites {
		s.from = nil
		for _, u := range s.left {
			for _, g := range u.owns {
				g.k.site.blockers = append(g.k.site.blockers, u)
			}
		}
	}
	start := r.k.site
	for ways := []*site{start}; len(ways) > 0; ways = ways[1:] {
		for _, u := range ways[0].blockers {
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
