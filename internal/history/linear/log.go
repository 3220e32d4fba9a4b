package linear

import (
	"sync"
	"time"
)

// Verb is what was called.
type Verb string

// The verbs.
const (
	Acquire Verb = "acquire"
	Try     Verb = "try"
	Release Verb = "release"
	Renew   Verb = "renew"
)

// Outcome is how the call ended.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Busy    Outcome = "busy"    // of a try
	Lost    Outcome = "lost"    // of a release or a renewal: the grant is not held
	Failed  Outcome = "failed"  // nothing was done
	Unknown Outcome = "unknown" // done or not, now or later
)

// Op is one call with its answer.
type Op struct {
	Client   int
	Name     string
	Capacity int64
	Verb     Verb
	Weight   int64  // acquire, try
	Grant    uint64 // release, renew: the token of the grant
	Token    uint64 // acquire, try, renew: the first token that was got
	Tokens   int    // how many were got; 0 counts as 1, except for a renewal
	Outcome  Outcome
	Call     int64 // nanoseconds
	Return   int64

	// Worked out by Check.
	crowded bool   // another request may have been in the queue
	after   uint64 // the token before Token
}

// count returns how many tokens the call got, if it was OK.
func (op *Op) count() int {
	switch op.Verb {
	case Acquire, Try:
		return max(op.Tokens, 1)
	case Renew:
		return op.Tokens
	default:
		return 0
	}
}

// Log collects calls. The zero Log is empty and ready for use; it is safe for concurrent use.
// (A mutex, not an actor: it has no life of its own.)
type Log struct {
	mu    sync.Mutex
	ops   []Op
	start time.Time
}

// now returns the time since the first call of now, plus one.
func (l *Log) now() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.start.IsZero() {
		l.start = time.Now()
	}
	return int64(time.Since(l.start)) + 1
}

func (l *Log) add(op Op) {
	op.Return = l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, op)
}

// Ops returns what was logged.
func (l *Log) Ops() []Op {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ops[:len(l.ops):len(l.ops)]
}
