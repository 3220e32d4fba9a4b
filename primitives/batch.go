package primitives

import "sync/atomic"

// A batch is waiters that came one after the other and want the same, all permits: those of a
// Mutex, and writers of an RWMutex that stand next to each other. They share one waiter and its
// channel: there they fall asleep, and the runtime wakes them in the order in which they did. So a
// million of them weigh no more than one, and to join is one swap of the word that counts them:
//
//	 63 … 30    29     28        27 … 20  19 … 0
//	┌──────────┬──────┬─────────┬────────┬─────────┐
//	│ lifetime │ open │ spoiled │ called │ waiting │
//	└──────────┴──────┴─────────┴────────┴─────────┘
//
// A batch is open as long as it has a waiting member and nothing stands behind it. Others join it
// while it is the last of the inbox, or the front of the line.
//
// To call a member is to give it all permits: it waits no longer, and a token goes into the
// channel. The caller has them in hand, and after that no longer. So a second one is called only
// after the first has come and released, and the channel needs room for one token.
//
// With the last member a batch leaves the line, so that one is called by a turn. The others are
// called without one, by a release: the keeper has nominated the batch. As long as three contend,
// there are others, and the keeper has nothing to do.
const (
	waiting uint64 = 1<<20 - 1 // members that have not been called
	called  uint64 = 1 << 20   // called, not come: one, or a few after a wrong Unlock
	spoiled uint64 = 1 << 28   // its last member has left: a message names it, so no reuse
	open    uint64 = 1 << 29

	// lifetime counts the batches that a waiter has been, at any gate. A goroutine that finds one
	// in a place, loads its word, and then finds the same one there, has the word of the batch that
	// is in that place; and swaps it only if it still is that batch, for no word of a waiter comes
	// back.
	lifetime uint64 = 1 << 30
)

// newBatch returns an open batch whose only member is the caller.
func newBatch() *waiter {
	w := get(&batches)
	w.word = uint64(locking)<<permitBits | limit
	w.batch.Store(w.batch.Load()&^(lifetime-1) + lifetime | open | 1)
	return w
}

// enlist queues the caller for all permits, and returns the batch in which it waits: the last of
// the inbox or, if that is empty, the nominee, if it is open; else a new one.
//
// A nominee that is open is the back of the line as well. Before the turn empties the inbox, it
// closes the back of the line, so no newcomer joins that before one that the inbox had. And a
// waiter that is pushed after this look at the inbox has not come before the caller.
func (g *gate) enlist() *waiter {
	if w := g.inbox.newest.Load(); w != nil {
		if w.join(&g.inbox.newest) {
			g.announce(limit, false)
			return w
		}
	} else if w := g.nominee.Load(); w != nil && w.join(&g.nominee) {
		return w // in the line, with others: what lets them in lets the caller in
	}
	w := newBatch()
	g.post(w)
	return w
}

// join makes the caller a member of the batch w, which it found at place, if it still is there, and
// open.
func (w *waiter) join(place *atomic.Pointer[waiter]) bool {
	for {
		s := w.batch.Load()
		if s&open == 0 || s&waiting == waiting || place.Load() != w {
			return false
		}
		if w.batch.CompareAndSwap(s, s+1) { // model: company
			return true
		}
	}
}

// callNominee gives all permits, which the caller brings back, to a member of the nominee, unless
// that is its last one. It reports whether it did. If a member was called that has not come yet,
// only that can bring the permits back: held is false, and nothing is done.
func (g *gate) callNominee() (handed, held bool) {
	w := g.nominee.Load()
	if w == nil {
		return false, true
	}
	for {
		s := w.batch.Load()
		switch {
		case g.nominee.Load() != w:
			return false, true
		case s&(spoiled-called) != 0:
			return false, false
		case s&waiting < 2:
			return false, true
		}
		if w.batch.CompareAndSwap(s, s-1+called) { // model: call
			w.ready <- struct{}{}
			return true, true
		}
	}
}

// call takes a member from the batch w, which the turn will send a token. It returns how many
// waited before, perhaps none; with the last one, it has closed w.
func (w *waiter) call() (waited uint64) {
	for {
		s := w.batch.Load()
		to := s - 1 + called
		switch s & waiting {
		case 0:
			return 0
		case 1:
			to &^= open
		}
		if w.batch.CompareAndSwap(s, to) { // model: callLast
			return s & waiting
		}
	}
}

// come is called by a member that has got the token. The last one of all frees w: nothing else has
// it any more.
func (w *waiter) come() {
	if w.batch.Add(^(called-1))&(lifetime-1) == 0 {
		w.free()
	}
}

// cancelMember takes the caller, whose context is done, out of the batch w. It reports false if the caller
// has been called. Members are all alike, so it does not matter which of them goes. The keeper is
// told only when no member waits any more, so that w leaves the line.
func (g *gate) cancelMember(w *waiter) bool {
	for {
		s := w.batch.Load()
		to := s - 1
		switch s & waiting {
		case 0:
			return false
		case 1:
			to = to&^open | spoiled
		}
		if w.batch.CompareAndSwap(s, to) { // model: quit
			if to&waiting == 0 {
				g.cancelWaiter(w)
			}
			return true
		}
	}
}

// close ends joining the back of l.
func (l *line) close() {
	if w := l.back; w != nil && w.batch.Load()&open != 0 {
		w.batch.And(^open) // model: close
	}
}

// nominate makes the front of the line the nominee, if it is a batch. Every turn does it before it
// ends.
func (g *gate) nominate() {
	w := g.line.front
	if w != nil && w.kind() != locking {
		w = nil
	}
	if g.nominee.Load() != w {
		g.nominee.Store(w) // model: nominate
	}
}
