package manager

import (
	"math"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/actor"
)

// waits knows the waits of which a deadlock can consist, and refuses one that closes a deadlock.
//
// Owns: the registered waits. Takes: watch from keepers, forget from the goroutines that waited.
//
// A wait is registered if it keeps others waiting while it waits itself: that of a caller whose
// context says that it holds a lease, and that of a request for several names, whose parts keep
// their places, and soon their grants, while others wait. A plain request keeps nothing: it ends as
// soon as the queue before it and enough permits allow. It matters only to those behind it that
// need less than it does, so it is registered with the first of these, and not examined. A request
// that has no holder and no other request of this process before it is not registered: it waits for
// another process alone.
//
// Only a new wait closes a deadlock: every other event removes waits, or lets them proceed in the
// one way in which they can. So each wait is examined once, when it is registered: see deadlock.go.
//
// Costs: a message for each registered wait and one for its end. An acquire that is granted at once
// costs nothing, and one without a lease in its context a look at the requests before it at most.
type waits struct {
	mail  *actor.OnDemand[message]
	n     int    // registered
	last  uint64 // number of the last wait
	round uint64 // of examinations
}

// wait is the registered wait of a request for one name or for several. It ends when all of its
// entries are granted.
type wait struct {
	of      *lease         // of the caller
	state   *atomic.Uint32 // of the request
	outer   *lease         // what its owner holds
	several bool
	entries []entry
	number  uint64
	known   bool  // registered
	looked  int64 // requests before it that are heavier are registered; plain: not for its sake

	// Of an examination.
	round    uint64     // of the last examination that reached it
	left     bool       // it goes on, as far as is known
	owns     []*request // the grants of its owner, once for each lease on them
	waiting  int        // entries that are not granted
	unpinned int        // entries that keep its operation from starting
	from     *wait      // the wait before it on the way from the new wait
	via      *site      // the name for which that waits
}

// entry is the place of a registered wait in the queue of a name.
type entry struct {
	*request
	wait       *wait
	site       *site
	prev, next *entry

	pinned, granted bool // by an examination
}

// site is a name that registered waits wait for. It is owned by waits, although its keeper points
// to it.
type site struct {
	k          *keeper
	head, tail *entry // in the order of the keeper's queue

	examined
}

// plain is more than any weight.
const plain = math.MaxInt64

type (
	watch struct {
		*wait
		examine bool
	}
	forget struct{ *wait }
)

func newWaits() *waits {
	w := &waits{}
	w.mail = actor.NewOnDemand("lockkeeper/manager.waits", w.receive, func(message, *actor.PanicError) {})
	return w
}

// register has waits examine the request of an owner, which is the last in the keeper's queue.
func (k *keeper) register(r *request) {
	k.registerBefore(r)
	k.m.watch(r.newWait(r.weight), true)
}

func (k *keeper) registerBefore(r *request) {
	for _, q := range k.heavierBefore(r) {
		k.m.watch(q.newWait(plain), false)
	}
}

// heavierBefore returns the plain requests before r that may have to wait although r need not, and
// are not registered. These are heavier than r. A part is pinned without regard to its weight, so
// it counts as weightless. What is before another request that has looked for the same is
// registered.
func (k *keeper) heavierBefore(r *request) (list []*request) {
	weight := r.weight
	if r.several != nil && k.cap > 1 {
		weight = 0
	}
	if weight == k.cap {
		return nil
	}
	for q := r.prev; q != nil; q = q.prev {
		w := q.lease.wait.Load()
		switch {
		case q.several != nil, w != nil && w.looked <= weight:
			return list
		case w == nil && q.weight > weight && !q.try:
			list = append(list, q)
		}
	}
	return list
}

// partQueued notes that a part has come to its keeper. The last one has waits examine the request,
// unless all of its names were free for this process.
func (s *several) partQueued(k *keeper, r *request, crowded bool) {
	if crowded {
		s.crowded.Store(true)
		if r.place == queued {
			k.registerBefore(r)
		}
	}
	if s.unqueued.Add(-1) == 0 && s.crowded.Load() && s.state.Load() == pending {
		s.m.watch(s.newWait(), true)
	}
}

func (r *request) newWait(looked int64) *wait {
	return &wait{
		of: &r.lease, state: &r.state, outer: r.outer, looked: looked, entries: []entry{{request: r}},
	}
}

func (s *several) newWait() *wait {
	w := &wait{of: &s.all, state: &s.state, outer: s.outer, several: true, entries: make([]entry, len(s.parts))}
	for i := range s.parts {
		w.entries[i].request = &s.parts[i]
	}
	return w
}

func (m *Manager) watch(w *wait, examine bool) {
	w.of.wait.Store(w)
	m.waits.mail.Tell(watch{w, examine})
}

// unwatch is called by the goroutine that waited, when its wait is over. If it comes before the
// watch, even before the wait is stored, waits finds that the wait is not pending and does not keep
// it.
func (m *Manager) unwatch(l *lease) {
	if w := l.wait.Load(); w != nil {
		m.waits.mail.Tell(forget{w})
	}
}

func (w *waits) receive(msg message) {
	switch msg := msg.(type) {
	case forget:
		w.remove(msg.wait)
		msg.of.wait.Store(nil)
	case watch:
		if msg.state.Load() != pending {
			msg.of.wait.Store(nil)
			return
		}
		w.add(msg.wait)
		for msg.examine && msg.known {
			victim, cycle := w.examine(msg.wait)
			if victim == nil {
				return
			}
			w.remove(victim) // it stays stored, so that no keeper registers it again
			victim.deny(cycle)
		}
	}
}

// deny has the keeper of the first name refuse the request.
func (u *wait) deny(cycle []string) {
	for i := range u.entries {
		if r := u.entries[i].request; r.k.name == cycle[0] {
			r.k.mail.Tell(deny{r, &DeadlockError{Cycle: cycle}})
		}
	}
}

func (w *waits) add(u *wait) {
	for i := range u.entries {
		e := &u.entries[i]
		if e.k.site == nil {
			e.k.site = &site{k: e.k}
		}
		e.wait, e.site = u, e.k.site
		e.site.insert(e)
	}
	w.last++
	u.known, u.number = true, w.last
	w.n++
}

func (w *waits) remove(u *wait) {
	if !u.known {
		return
	}
	u.known = false
	w.n--
	for i := range u.entries {
		u.entries[i].site.remove(&u.entries[i])
	}
}

// insert adds an entry, in most cases as the last.
func (s *site) insert(e *entry) {
	e.prev = s.tail
	for e.prev != nil && e.prev.number > e.number {
		e.prev = e.prev.prev
	}
	if e.prev == nil {
		e.next, s.head = s.head, e
	} else {
		e.next, e.prev.next = e.prev.next, e
	}
	if e.next == nil {
		s.tail = e
	} else {
		e.next.prev = e
	}
}

func (s *site) remove(e *entry) {
	if e.prev == nil {
		s.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		s.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
}
