package manager

import "slices"

// The examination of a new wait. The model is the resource graph of R. C. Holt, "Some deadlock
// properties of computer systems", ACM Computing Surveys 4(3), 1972, with the queues added.
//
// The examination plays what would happen if every holder that does not wait released, and no new
// request came. It takes these steps until none is possible:
//
//   - The first entry of a queue that is not granted is granted if enough permits are free. If it
//     is a part, the operation of its request must have started.
//   - An operation starts when its parts are pinned: each is the first that is not granted of its
//     queue, and nothing whole of its name is held.
//   - A wait of which all entries are granted has ended. Its owner then releases what this wait
//     gave it, and what it kept held, unless another wait of the owner goes on that keeps it too.
//
// A step never makes another one impossible, so their order does not matter, and the waits that are
// left could not end by any order of releases. They are deadlocked. A holder without a registered
// wait can always release, and so can another process.
//
// Waits that do not depend on the new one could end before it came, so the examination leaves them
// out, and the names that only they concern.
//
// The result is exact although keepers go on meanwhile. The examination reads of the world only
// that a request is pending and that a lease is held. Both were true when the examination began,
// since all that is registered began before, and neither comes back once it ends. It does not read
// which parts are granted or which operations have started: the play finds these again. So the
// waits that are left were deadlocked together when it began.
//
// A store that asks for the names of one operation in groups, one group after the other, may grant
// a part later than the play assumes. A deadlock that needs this is not seen: it consists of
// requests for some permits of a name that stand behind a part of a later group.
//
// Costs: O(edges) of the waits that depend on the new one. If there are none, a look at the leases
// of its owner and at its own entries.

// examined is what an examination knows of a site.
type examined struct {
	round uint64 // of the last examination that reached it
	at    *entry // the first that is not granted
	kept  int64  // permits whose owners wait
	held  int64  // permits of entries that are granted and whose waits are left
	whole int    // of the grants in kept and held, those of all permits

	keepers []*wait // the waits left whose owners hold permits
	told    bool    // the search for a cycle has taken these in
	seen    *entry  // as it has the entries before this one
}

// examination is one run.
type examination struct {
	round   uint64
	sites   []*site // reached
	visited []*wait
}

// examine returns the wait that must fail because of a cycle through the new wait, and the cycle as
// that wait sees it; nil if the new wait can end.
func (w *waits) examine(last *wait) (victim *wait, cycle []string) {
	w.round++
	x := &examination{round: w.round}
	x.reach(last)
	if len(x.sites) > 0 { // else nothing depends on it
		x.play()
		if last.left && last.waiting > 0 && x.cycle(last) {
			victim = last.youngest()
			cycle = victim.names()
		}
	}
	for _, u := range x.visited {
		for _, g := range u.owns {
			g.keptBy = 0
		}
		clear(u.owns)
		u.owns, u.from, u.via = u.owns[:0], nil, nil
	}
	for _, s := range x.sites {
		s.examined = examined{round: s.round}
	}
	return victim, cycle
}

// reach finds the sites whose waits may depend on the new wait, and these waits.
func (x *examination) reach(last *wait) {
	x.visit(last)
	for i := 0; i < len(x.sites); i++ { //nolint:intrange // visit appends to sites
		for e := x.sites[i].head; e != nil; e = e.next {
			x.visit(e.wait)
		}
	}
}

// visit reads which grants a wait keeps held, and reaches the sites where others wait for these or
// stand behind it.
func (x *examination) visit(u *wait) {
	if u.round == x.round {
		return
	}
	u.round, u.left = x.round, u.state.Load() == pending
	u.waiting, u.unpinned = 0, 0
	x.visited = append(x.visited, u)
	if !u.left {
		return
	}
	m := u.entries[0].k.m
	for l := u.outer; l != nil; l = l.outer {
		g := l.req
		if g == nil || g.k.m != m || g.k.site == nil || g.k.site.head == nil || l.end.Load() != nil {
			continue
		}
		x.mark(g.k.site)
		u.owns = append(u.owns, g)
		if g.keptBy++; g.keptBy == 1 {
			g.k.site.kept += g.weight
			g.k.site.count(g, 1)
		}
	}
	for i := range u.entries {
		if e := &u.entries[i]; e.next != nil {
			x.mark(e.site)
		}
	}
}

func (x *examination) mark(s *site) {
	if s.round != x.round {
		s.round = x.round
		x.sites = append(x.sites, s)
	}
}

// count counts a grant in or out if it is of all permits.
func (s *site) count(r *request, n int) {
	if r.weight == r.cap {
		s.whole += n
	}
}

// play takes all steps that are possible.
func (x *examination) play() {
	for _, s := range x.sites {
		s.at = s.head
		for e := s.head; e != nil; e = e.next {
			e.pinned, e.granted = false, false
			e.wait.waiting++
			if e.wait.several {
				e.wait.unpinned++
			}
		}
	}
	for todo := slices.Clone(x.sites); len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = s.advance(x, todo[:len(todo)-1])
	}
}

// advance takes the steps that are possible at the site, and adds to todo the sites at which more
// may have become possible.
func (s *site) advance(x *examination, todo []*site) []*site {
	for ; s.at != nil; s.at = s.at.next {
		e, u := s.at, s.at.wait
		if !u.left {
			continue
		}
		if u.several && !e.pinned {
			if s.whole > 0 {
				break
			}
			e.pinned = true
			if u.unpinned--; u.unpinned == 0 {
				todo = x.others(e, todo)
			}
		}
		if u.unpinned > 0 || s.full() {
			break
		}
		e.granted = true
		s.held += e.weight
		s.count(e.request, 1)
		if u.waiting--; u.waiting == 0 {
			todo = x.strike(u, x.others(e, todo))
		}
	}
	return todo
}

// full reports whether too few permits are free for the first entry that is not granted.
func (s *site) full() bool { return s.kept+s.held+s.at.weight > s.at.cap }

// others adds the sites of the other entries of the same wait.
func (x *examination) others(e *entry, todo []*site) []*site {
	for i := range e.wait.entries {
		if o := &e.wait.entries[i]; o != e && o.site.round == x.round {
			todo = append(todo, o.site)
		}
	}
	return todo
}

// strike strikes off a wait that ends, and frees what it held.
func (x *examination) strike(u *wait, todo []*site) []*site {
	u.left = false
	for i := range u.entries {
		if e := &u.entries[i]; e.site.round == x.round {
			e.site.held -= e.weight
			e.site.count(e.request, -1)
		}
	}
	for _, g := range u.owns {
		if g.keptBy--; g.keptBy == 0 {
			g.k.site.kept -= g.weight
			g.k.site.count(g, -1)
			todo = append(todo, g.k.site)
		}
	}
	return todo
}
