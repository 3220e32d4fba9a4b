package primitives

import (
	"context"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/actor"
)

// The word of a gate: 62 bits of permits in use, and two flags.
//
//	63       62      61                                0
//	┌────────┬──────┬──────────────────────────────────┐
//	│ queued │ mail │ permits in use (0 … limit, more  │
//	│        │      │ only while there are phantoms)   │
//	└────────┴──────┴──────────────────────────────────┘
//
// One comparison, word <= limit-n, asks all three questions of the fast path: is the queue empty,
// is no mail on its way, do n permits fit.
//
// Readers enter and leave by an addition, which cannot fail, so many of them do not hold each other
// up. One that learns only from its result that it must not enter takes it back. Until then it is a
// phantom: a permit in use without a holder. A goroutine that sees it waits as if for a reader, and
// its taking back is like a release. Above limit there is room for phantoms.
const (
	// queued: there are waiters. A goroutine enters only through the keeper.
	queued uint64 = 1 << 63
	// mail: a waiter has posted to the inbox since the keeper last looked. It keeps the keeper
	// from going home (clearing queued) past a waiter that has just arrived.
	mail uint64 = 1 << 62
	// inUse: the bits that count the permits in use.
	inUse = mail - 1
	// limit: the permits of every gate. A mutex and a writer take them all. A semaphore of n
	// withholds the other limit-n, see gate.withheld.
	limit = inUse / 4
)

// A gate is what stands behind every lock of this package: permits, and a queue of waiters. Its
// zero value has all its permits free, and no queue.
//
// Owns: the line of waiters (line, reserve, withheld) belongs to the keeper, an actor whose
// turn runs either on its own goroutine or on one that a caller lends it, one at a time.
// The word and the inbox are shared. Takes: waiters posted to inbox, and the wake-ups of
// the keeper's Activity.
//
// Invariants:
//
//	I1  word&inUse = permits held + permits given to waiters not yet awake
//	    + withheld + permits in the hands of the turn + phantoms.
//	I2  permits are taken only by a swap of or an addition to a word without flags in which they
//	    fit, or by the turn while queued is set: never by both.
//	I3  a waiter is in the line ⇒ queued is set.
//	I4  no goroutine has the turn, woke the keeper or is about to ⇒ the front of the line does
//	    not fit. Who gives back permits while a flag is set is about to.
//	I5  every waiter is answered exactly once, with the turn; and removed from the line before.
//	    A member of a batch gets one token, or quits.
//	I6  reserve > withheld ⇒ queued is set, and free permits go to the reserve first.
//
// Nothing stops it: at rest it is 64 bytes of plain data.
type gate struct {
	word  atomic.Uint64
	inbox inbox
	line  line // the waiters in the order they came; the turn's own

	// nominee is the front of the line if that is a batch, else nil; during a turn it may lag
	// behind. Written with the turn only. While all permits are held, it changes only if all
	// its members give up.
	nominee atomic.Pointer[waiter]

	// Of the limit, the semaphore withholds reserve permits: limit - size. In circulation they are
	// in use without a holder: withheld. While a shrink waits for holders to release, withheld is
	// still smaller than reserve. Written by the turn only.
	reserve  atomic.Uint64
	withheld atomic.Uint64

	keeper actor.Activity
}

// acquire waits until n permits are the caller's or ctx is done, at the place in the queue that k
// says. An error means that nothing is held and nothing is left in the queue. That the select
// stands in the same function as the fast path is deliberate: see docs/internals/primitives.md.
func (g *gate) acquire(ctx context.Context, k kind, n uint64) error {
	if ctx == nil {
		return errNilContext
	}
	if ctx.Err() != nil { // also when the gate is free: a done context always loses
		return contextError(ctx)
	}
	s := g.word.Load()
	if s <= limit-n && g.word.CompareAndSwap(s, s+n) { // model: enter
		return nil
	}
	if n > limit-g.reserve.Load() {
		return ErrTooLarge
	}
	if s <= limit && g.spin(n) {
		return nil
	}
	var w *waiter
	if k == locking {
		w = g.enlist()
	} else {
		w = newWaiter(k, n)
		g.post(w)
	}
	if done := ctx.Done(); done == nil {
		<-w.ready
	} else {
		select {
		case <-w.ready: // ctx may be done as well: that is looked at below
		case <-done:
			return g.cancel(ctx, w, k, n)
		}
	}
	answer := granted
	if k == locking {
		w.come()
	} else {
		answer = w.answer()
		w.free()
	}
	if answer == granted && ctx.Err() == nil {
		return nil
	}
	return g.turnedAway(ctx, n, answer)
}

// cancel is the rest of an acquire that waits with w and whose ctx is done.
func (g *gate) cancel(ctx context.Context, w *waiter, k kind, n uint64) error {
	if k == locking {
		if g.cancelMember(w) {
			return contextError(ctx)
		}
		<-w.ready // at once: there is a token for each of those who are left
		w.come()
		return g.turnedAway(ctx, n, granted)
	}
	g.cancelWaiter(w)
	<-w.ready // at once: gone, or an answer that was on its way
	answer := w.answer()
	if answer == gone {
		w.free()
	}
	// Else the keeper may not have read that w wants to leave: w must not become another's waiter,
	// perhaps at another gate.
	return g.turnedAway(ctx, n, answer)
}

func (g *gate) turnedAway(ctx context.Context, n uint64, answer uint8) error {
	switch {
	case answer == refused:
		return ErrTooLarge
	case answer == granted:
		g.release(n) // model: passOn
	}
	return contextError(ctx)
}

// spins is how often an acquire looks again before it queues; pauseLength is how long it
// looks away, in cycles. Together they are shorter than one switch of goroutines, so that a
// short critical section on another core costs no switch, and a long one little more.
const (
	spins       = 8
	pauseLength = 24
)

// spin tries to enter, again and again for a moment. It gives up as soon as there is a queue.
func (g *gate) spin(n uint64) bool {
	for i := 0; ; i++ {
		s := g.word.Load()
		if s <= limit-n {
			if g.word.CompareAndSwap(s, s+n) { // model: enter
				return true
			}
			continue
		}
		if s > limit || i >= spins {
			return false
		}
		pause(pauseLength)
	}
}

// pause does nothing for about n cycles of the processor.
//
//go:noinline
func pause(n int) {
	for range n {
	}
}

// tryAcquire takes n permits if they are free and there is no queue.
func (g *gate) tryAcquire(n uint64) bool {
	for {
		s := g.word.Load()
		switch {
		case s <= limit-n:
			if g.word.CompareAndSwap(s, s+n) { // model: enter
				return true
			}
		case s&inUse > limit-n:
			return false // they are not free, queue or not
		default:
			// They are free, yet flags are set. Either the permits are about to go to somebody
			// queued, or the last one queued has just gone and the keeper is about to go home. It
			// knows.
			return g.decide(trying, n) == granted
		}
	}
}

// release gives n permits back. It reports false, and does nothing, if fewer are held.
func (g *gate) release(n uint64) bool {
	for {
		s := g.word.Load()
		if s&inUse < n || s&inUse-n < g.withheld.Load() {
			// More than held, or the two words were read around a Resize. The keeper sees both.
			return g.decide(returning, n) == granted
		}
		if s <= limit {
			if g.word.CompareAndSwap(s, s-n) { // model: leave
				return true
			}
			continue
		}
		if n == limit {
			if handed, held := g.callNominee(); handed || !held {
				return handed
			}
		}
		if g.keeper.Enter() {
			if !g.handOver(n) {
				g.runTurn(n, false)
			}
			return true
		}
		// Another goroutine has the turn: leave the permits where it finds them.
		if g.word.CompareAndSwap(s, s-n) { // model: put
			g.keeper.Wake(g)
			return true
		}
	}
}

// free is how many permits can be given out: those that the word s does not show in use, and
// those of the pot.
func free(s, pot uint64) uint64 {
	if s &= inUse; s < limit+pot {
		return limit + pot - s
	}
	return 0 // there are phantoms
}

// handOver gives n permits that the caller brings back straight to the front of the line, if
// that wants exactly them and its going changes nothing for those behind it: a mutex from
// hand to hand. Then it leaves the keeper and reports true. The word does not change.
func (g *gate) handOver(n uint64) bool {
	w := g.line.front
	if w == nil || w.permits() != n || w.next == nil || g.reserve.Load() != g.withheld.Load() ||
		w.next.permits() <= free(g.word.Load(), 0) {
		return false
	}
	if w.kind() == locking {
		switch w.call() {
		case 0:
			return false // the last one has given up, and the message that says so is on its way
		case 1:
			g.line.remove(w)
		}
	} else {
		g.line.remove(w) // model: handover
		w.word = uint64(granted)
	}
	g.nominate()
	g.keeper.Leave(g)
	w.ready <- struct{}{}
	return true
}

// post queues w, and makes the keeper look at it.
//
// First the push, then the flags, in announce. If the flags are already there, a keeper that is on
// its way home finds mail set and looks again; if queued had just been cleared, it is set here.
// After post no newcomer can enter before w.
func (g *gate) post(w *waiter) {
	k, n := w.kind(), w.permits() // once pushed, a leaving is no longer ours
	if w.bubbled {                // its channel is the bubble's; a message of its waiter comes after it
		g.keeper.Settle()
	}
	g.inbox.push(w)
	g.announce(n, k != acquiring && k != locking)
}

// announce sets the flags for a waiter that wants n permits, and makes the keeper look
// into the inbox, at once or when they are free.
func (g *gate) announce(n uint64, atOnce bool) {
	s := g.word.Load()
	if s&(queued|mail) != queued|mail {
		s = g.word.Or(queued | mail) // model: flag
	}
	// If it fits, perhaps nothing else makes the keeper look: the permits may have been released
	// before it was there. If it does not, a release will come, see queued, and look.
	if s&inUse <= limit-n || atOnce {
		g.wakeKeeper()
	}
}

// decide has the keeper decide something that it can decide at once, and returns its decision.
func (g *gate) decide(k kind, n uint64) uint8 {
	w := newWaiter(k, n)
	g.post(w)
	<-w.ready
	answer := w.answer()
	w.free()
	return answer
}

// ask has the keeper count something, and returns the sum.
func (g *gate) ask(k kind) int64 {
	w := newWaiter(k, 0)
	g.post(w)
	<-w.ready
	n := w.word
	w.free()
	return int64(n)
}

// cancelWaiter tells the keeper that w wants to leave. The message comes after w itself, so w
// is in the line when the keeper reads it, or has been answered. It costs the same however
// many are queued: w need not be looked for, it knows its neighbours.
func (g *gate) cancelWaiter(w *waiter) {
	m := newMessage(leaving, 0)
	m.prev = w
	g.post(m) // model: cancel
}
