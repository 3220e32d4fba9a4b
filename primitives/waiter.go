package primitives

import (
	"sync"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// What the keeper answers. It answers each waiter exactly once.
const (
	granted uint8 = iota + 1 // the permits are the waiter's
	refused                  // they never will be: more than the capacity, or a try that failed
	gone                     // it wanted to leave, and is out of the line
)

// A kind says what a waiter wants of the keeper.
type kind uint8

const (
	acquiring     kind = iota // n permits, in its turn
	trying                    // n permits at once or not at all
	returning                 // to give n permits back, if that many are held
	resizing                  // that n permits be withheld
	leaving                   // that another, whose context is done, be taken out of the line
	upgrading                 // n permits, before the whole line
	tryingUpgrade             // n permits at once or not at all, past the line
	waking                    // of a Cond: that n of those in the line be woken
	locking                   // all permits, in its turn: a batch
	counting                  // to know how many wait in the line
	adding                    // to know how many permits are held
)

// A waiter is a goroutine that wants something of the keeper, and the message that says so.
// It belongs to the keeper until it is answered, and then to the goroutine that waits. One
// without a channel is a message only, which no goroutine waits for: the keeper frees it.
//
// A batch is a waiter for many: it is never answered, and its members share it until the last one
// has come.
type waiter struct {
	word uint64 // kind<<permitBits | permits; once it is answered, the answer

	// The keeper's own: neighbours in the line. next also links those in the inbox, and those just
	// answered; prev is nil outside the line, but for one that is leaving: it has the one to leave.
	next, prev *waiter

	ready   chan struct{} // of 1: the keeper never waits for the waiter
	bubbled bool          // ready was made in a synctest bubble, and must not leave it

	batch atomic.Uint64 // of a batch: its members; of any other: 0
}

// permitBits is how many bits count the permits of a waiter: those of limit.
const permitBits = 60

func (w *waiter) kind() kind { return kind(w.word >> permitBits) }

func (w *waiter) permits() uint64 { return w.word & limit }

// answer is what the keeper answered, before it sent on ready.
func (w *waiter) answer() uint8 { return uint8(w.word) }

var waiters, batches sync.Pool // of *waiter, each with an empty channel

// get takes a waiter from pool, or makes one. In a testing/synctest bubble it always makes one: a
// wait on a channel from outside is not durable there. free returns no waiter from a bubble to the
// pool: a channel made there must not be used elsewhere.
//
// The clock tells whether the caller is in a bubble. In a program that does not seem to be a test,
// only a new waiter looks at it. For a contended semaphore the look takes 5 to 25 % of the time,
// and new waiters instead of pooled ones would take 40 to 60 %. A contended mutex, whose batch
// lasts, is no slower with either.
func get(pool *sync.Pool) *waiter {
	if !bubbles.Inside() {
		if w, ok := pool.Get().(*waiter); ok {
			return w
		}
	}
	return &waiter{ready: make(chan struct{}, 1), bubbled: bubbles.MadeInside()}
}

func newWaiter(k kind, n uint64) *waiter {
	w := get(&waiters)
	w.word = uint64(k)<<permitBits | n
	return w
}

// messages are waiters without a goroutine, so they have no channel: a fifth of the memory, which
// counts when a long queue gives up as a whole.
var messages = sync.Pool{New: func() any { return new(waiter) }}

func newMessage(k kind, n uint64) *waiter {
	m := messages.Get().(*waiter)
	m.word = uint64(k)<<permitBits | n
	return m
}

// free gives w up, on the goroutine that waited. Its channel is empty, and nothing refers to it but
// a caller that is late in join or callNominee, and is turned away by the lifetime of the batch.
func (w *waiter) free() {
	switch {
	case w.ready == nil:
		messages.Put(w)
	case w.bubbled: // it ends with its bubble
	case w.batch.Load() != 0:
		batches.Put(w)
	default:
		waiters.Put(w)
	}
}

// An inbox is the mail of a keeper: pushed by any goroutine, taken whole by the turn.
type inbox struct{ newest atomic.Pointer[waiter] }

func (b *inbox) push(w *waiter) {
	for {
		w.next = b.newest.Load()
		if b.newest.CompareAndSwap(w.next, w) { // model: push
			return
		}
	}
}

// empty reports whether there is no mail.
func (b *inbox) empty() bool { return b.newest.Load() == nil }

// take empties b. It returns what was there, each linked to the one pushed after it.
func (b *inbox) take() (oldest *waiter) {
	for w := b.newest.Swap(nil); w != nil; { // model: collect
		w.next, oldest, w = oldest, w, w.next
	}
	return oldest
}

// A line is a FIFO of waiters from whose middle one can be taken.
type line struct{ front, back *waiter }

// has reports whether w, which is not leaving, is in l, if it is in any line.
func (l *line) has(w *waiter) bool { return w.prev != nil || l.front == w }

func (l *line) add(w *waiter) {
	l.close()
	w.prev, w.next = l.back, nil
	if l.back == nil {
		l.front = w
	} else {
		l.back.next = w
	}
	l.back = w
}

func (l *line) addFront(w *waiter) {
	w.prev, w.next = nil, l.front
	if l.front == nil {
		l.back = w
	} else {
		l.front.prev = w
	}
	l.front = w
}

func (l *line) remove(w *waiter) {
	if w.prev == nil {
		l.front = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.back = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}
