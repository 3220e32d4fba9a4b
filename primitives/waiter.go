package primitives

import (
	"sync"
	"sync/atomic"
	"time"
)

// The states of a waiter.
//
//	        turn            turn
//	posted ──────► lined ──────────► granted, refused
//	   │             │
//	   └─────────────┴──► cancelled
//	        its owner
const (
	posted    uint32 = iota // on its way through the inbox
	lined                   // in the line
	granted                 // it has its permits
	refused                 // it never will: more than the capacity, or a try that failed
	cancelled               // its owner has gone
)

// A kind says what a waiter wants of the keeper.
type kind uint8

const (
	acquiring kind = iota // n permits, in its turn
	trying                // n permits at once or not at all
	returning             // to give n permits back, if that many are held
	resizing              // that n permits be kept from everybody
)

// A waiter is one who wants something of the keeper, and the message that says so.
//
// Until it is answered it belongs to the keeper, then to the goroutine that waits. After
// a cancel it stays the keeper's, which frees it when no list holds it any more.
type waiter struct {
	state  atomic.Uint32
	kind   kind
	pooled bool
	inLine bool // the turn's own, as are next and prev
	n      uint64

	mail       *waiter       // the older neighbour in the inbox
	next, prev *waiter       // neighbours in the line; next also links those just answered
	ready      chan struct{} // of 1: the keeper never waits for the waiter
}

var waiters = sync.Pool{New: func() any { return makeWaiter() }}

func makeWaiter() *waiter { return &waiter{ready: make(chan struct{}, 1)} }

func newWaiter(k kind, n uint64) *waiter {
	var w *waiter
	if inBubble() {
		w = makeWaiter()
	} else {
		w = waiters.Get().(*waiter)
		w.pooled = true
	}
	w.kind, w.n = k, n
	return w
}

// free gives w up. Its channel is empty: an answer was received, or will never be sent.
func (w *waiter) free() {
	if !w.pooled {
		return
	}
	w.state.Store(posted)
	w.mail, w.next, w.prev = nil, nil, nil
	waiters.Put(w)
}

// started is some instant before any lock was used.
var started = time.Now()

// inBubble reports whether the caller runs in a testing/synctest bubble. A channel made in
// one must not be used outside, nor in another, so waiters are not reused there. In a
// bubble the clock stands at the year 2000: decades from the start of the program.
func inBubble() bool {
	const decade = 10 * 365 * 24 * time.Hour
	age := time.Since(started)
	return age > decade || age < -decade
}

// A line is a FIFO of waiters from whose middle one can be taken.
type line struct{ front, back *waiter }

func (l *line) add(w *waiter) {
	w.inLine, w.prev, w.next = true, l.back, nil
	if l.back == nil {
		l.front = w
	} else {
		l.back.next = w
	}
	l.back = w
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
	w.inLine, w.prev, w.next = false, nil, nil
}
