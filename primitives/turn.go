package primitives

// extraTurns is how many turns a caller runs for others, at most, after its own. Two callers
// that meet at a gate then need no goroutine; a crowd does not keep one of them for long.
const extraTurns = 4

// Turn runs a turn on the keeper's own goroutine. It implements actor.Turner.
func (g *gate) Turn() {
	t := turn{gate: g}
	t.run(true)
	t.wake()
}

// ActorName is what the keeper's own goroutine is called in profiles and goroutine dumps.
func (g *gate) ActorName() string { return "primitives.gate" }

// wakeKeeper has the keeper look at its mail: on the caller's goroutine if the keeper is at rest.
func (g *gate) wakeKeeper() {
	if g.keeper.Enter() {
		g.runTurn(0, true)
	} else {
		g.keeper.Wake(g)
	}
}

// runTurn runs a turn on the caller's goroutine, which has entered the keeper. The caller brings
// back n permits, which the word still shows in use; if the front of the line takes as many,
// the word does not change at all. Waiters are woken when the turn is over, so that
// the first of them, when it soon releases, finds the keeper at rest.
func (g *gate) runTurn(n uint64, look bool) {
	t := turn{gate: g, pot: n}
	t.run(look)
	for i := 0; i < extraTurns && g.keeper.Again(); i++ {
		t.run(true)
	}
	g.keeper.Leave(g)
	t.wake()
}

// A turn is what the keeper has at hand while it is awake.
type turn struct {
	*gate
	pot         uint64  // permits taken back, which the word still shows in use
	first, last *waiter // answered, to be woken in this order
	heir        *waiter // a batch of which one was called, whose token is still to be sent
}

// run grants what can be granted, and clears queued if no waiter is left. With look it
// empties the inbox first; without, only when the line runs out: those in the inbox come
// after those in the line anyway.
func (t *turn) run(look bool) {
	if look {
		t.collect()
	}
	for {
		t.grant()
		if t.line.front != nil || t.withheld.Load() != t.reserve.Load() {
			break // the front does not fit, or a shrink waits: the next release will look again
		}
		if t.inbox.empty() && t.goHome() { // with mail the flags may stay
			break
		}
		t.collect()
	}
	t.nominate()
	t.settle()
}

// settle shows the permits of the pot free.
func (t *turn) settle() {
	if t.pot != 0 {
		t.word.Add(-t.pot) // model: settle
		t.pot = 0
	}
}

// take makes n free permits used: from the pot, as far as it goes.
func (t *turn) take(n uint64) {
	use := min(n, t.pot)
	t.pot -= use
	if n -= use; n != 0 {
		t.word.Add(n)
	}
}

// free counts the permits that can be given out. While queued is set only the turn takes
// any, so nothing takes them before it does; phantoms come and go.
func (t *turn) free() uint64 { return free(t.word.Load(), t.pot) }

// grant gives permits to the front of the line for as long as it fits.
func (t *turn) grant() {
	t.withhold()
	for w := t.line.front; w != nil && w.permits() <= t.free(); w = t.line.front {
		if w.kind() == locking {
			t.call(w)
			continue
		}
		t.line.remove(w)
		t.take(w.permits())
		t.tell(w, granted) // model: grant
	}
}

// call gives all permits to a member of the batch w, the front of the line. If none waits, w leaves
// the line.
func (t *turn) call(w *waiter) {
	waited := w.call()
	if waited <= 1 {
		t.line.remove(w)
	}
	if waited == 0 {
		return
	}
	t.take(limit)
	if t.heir != nil { // a caller has released what it did not hold
		t.nominate() // first: the last member of a batch frees it
		t.wakeHeir()
	}
	t.heir = w
}

// withhold takes free permits out of circulation, as many as a shrink still wants. First the
// word, then withheld, and the other way round in resize: so release, which reads both, never
// believes that fewer are held than are.
func (t *turn) withhold() {
	if owed := t.reserve.Load() - t.withheld.Load(); owed != 0 {
		n := min(owed, t.free())
		t.take(n)
		t.withheld.Add(n)
	}
}

// goHome clears the flags if there is no mail, and reports whether it did. Mail that comes
// after the look at the inbox sets its flag before or after the swap. Before: the swap fails.
// After: its sender finds queued cleared, sets it, and looks after itself.
func (t *turn) goHome() bool {
	for {
		s := t.word.Load()
		if s&mail != 0 {
			s = t.word.And(^mail) &^ mail // model: unflag
		}
		if !t.inbox.empty() { // model: look
			return false
		}
		if t.word.CompareAndSwap(s, s&^queued-t.pot) { // model: home
			t.pot = 0
			return true
		}
	}
}

// collect empties the inbox, oldest first.
func (t *turn) collect() {
	if t.inbox.empty() {
		return
	}
	// A sender pushes before it sets the flags. Before a waiter is in the line, queued is set.
	if t.word.Load()&queued == 0 {
		t.word.Or(queued) // model: shut
	}
	t.line.close() // before the inbox looks empty, see enlist
	for w := t.inbox.take(); w != nil; {
		next := w.next // before w has other neighbours, or is freed
		w.next = nil
		t.receive(w)
		w = next
	}
}

// receive handles one message.
func (t *turn) receive(w *waiter) {
	switch w.kind() {
	case acquiring:
		if w.permits() > limit-t.reserve.Load() { // shrunk since it looked
			t.tell(w, refused)
		} else {
			t.line.add(w)
		}
	case locking:
		if w.batch.Load()&waiting != 0 { // else all have left, and it needs no place
			t.line.add(w)
		}
	case upgrading: // what it holds already, those in the line wait for
		t.line.addFront(w) // model: front
	case leaving:
		if target := w.prev; t.line.has(target) { // else it has been answered
			t.line.remove(target)
			if target.kind() != locking { // a batch has no member left
				t.tell(target, gone)
			}
		}
		w.prev = nil
		w.free()
	case trying, tryingUpgrade:
		t.grant() // those before it
		if (t.line.front == nil || w.kind() == tryingUpgrade) && w.permits() <= t.free() {
			t.take(w.permits())
			t.tell(w, granted)
		} else {
			t.tell(w, refused)
		}
	case returning:
		if t.word.Load()&inUse-t.withheld.Load()-t.pot >= w.permits() {
			t.pot += w.permits()
			t.tell(w, granted)
		} else {
			t.tell(w, refused)
		}
	case resizing:
		t.resize(w.permits())
		t.tell(w, granted)
	case counting, adding:
		n := t.sum(w.kind())
		t.tell(w, granted)
		w.word = n
	}
}

// sum counts the waiters in the line, none of which is a batch, or adds up the permits held.
func (t *turn) sum(k kind) (n uint64) {
	if k == adding {
		return t.word.Load()&inUse - t.withheld.Load() - t.pot
	}
	for w := t.line.front; w != nil; w = w.next {
		n++
	}
	return n
}

// resize withholds n permits, those of holders as they come back.
// Waiters that no longer fit are refused.
func (t *turn) resize(n uint64) {
	t.reserve.Store(n)
	if have := t.withheld.Load(); n < have {
		t.withheld.Store(n)
		t.pot += have - n
	}
	for w := t.line.front; w != nil; {
		next := w.next
		if w.permits() > limit-n {
			t.line.remove(w)
			t.tell(w, refused)
		}
		w = next
	}
}

// tell answers w. It is woken when the turn is over.
func (t *turn) tell(w *waiter, answer uint8) {
	w.word = uint64(answer)
	if t.last == nil {
		t.first = w
	} else {
		t.last.next = w
	}
	t.last = w
}

// wake wakes the waiters that were answered. After the send a waiter is no longer ours.
func (t *turn) wake() {
	t.wakeHeir()
	for w := t.first; w != nil; {
		next := w.next
		w.next = nil
		w.ready <- struct{}{} // model: wake
		w = next
	}
}

func (t *turn) wakeHeir() {
	if t.heir != nil {
		t.heir.ready <- struct{}{} // model: wake
		t.heir = nil
	}
}
