package manager

import "slices"

// cycle finds the shortest way over waits that are left, from the new wait to itself. There is none
// if it is only queued behind a deadlock that others close.
func (x *examination) cycle(last *wait) bool {
	for _, s := range x.sites {
		s.seen = s.at
	}
	for _, u := range x.visited {
		if u.left {
			for _, g := range u.owns {
				g.k.site.keepers = append(g.k.site.keepers, u)
			}
		}
	}
	for ways := []*wait{last}; len(ways) > 0; ways = ways[1:] {
		u := ways[0]
		for i := range u.entries {
			e := &u.entries[i]
			if e.site.round != x.round || e.granted {
				continue
			}
			for b := range e.blockers() {
				if b.from != nil {
					continue
				}
				b.from, b.via = u, e.site
				if b == last {
					return true
				}
				ways = append(ways, b)
			}
		}
	}
	return false
}

// youngest returns the youngest wait of the cycle that is now known to go through u. That is u,
// unless its owner holds nothing: then others have come between its parts. They are younger, and
// one of them holds something, since requests that hold nothing stand in the same order in all
// queues.
func (u *wait) youngest() *wait {
	youngest := u
	if len(u.owns) > 0 {
		return u
	}
	for b := u.from; b != u; b = b.from {
		if len(b.owns) > 0 && (youngest == u || b.number > youngest.number) {
			youngest = b
		}
	}
	return youngest
}

// names returns the names of the cycle, from the one for which u waits.
func (u *wait) names() (names []string) {
	for b := u; len(names) == 0 || b != u; b = b.from {
		names = append(names, b.via.k.name)
	}
	slices.Reverse(names)
	return names
}

// blockers yields the waits because of which an entry is not granted, unless the search has had
// them from this site already: the holders, if these keep the first of the queue waiting, and the
// requests for several names before it. A request for one name is blocked by the same as those
// behind it.
func (e *entry) blockers() func(yield func(*wait) bool) {
	return func(yield func(*wait) bool) {
		s := e.site
		if !s.told && s.full() {
			s.told = true
			for _, u := range s.keepers {
				if !yield(u) {
					return
				}
			}
			for h := s.head; h != s.at; h = h.next {
				if h.wait.left && !yield(h.wait) {
					return
				}
			}
		}
		for ; s.seen != nil && s.seen.number < e.number; s.seen = s.seen.next {
			if u := s.seen.wait; u.left && u.several && !yield(u) {
				return
			}
		}
	}
}
