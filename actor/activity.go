package actor

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// A Turner is an actor whose mail lies in a structure of its own. Turn handles what lies there and
// returns; it is never called twice at the same time. It must not panic: the panic could be told to
// no caller, so it ends the process, as in any goroutine.
//
// If it has a method ActorName() string as well, that is what its goroutine is called in
// profiles and goroutine dumps; else it is called "activity".
type Turner interface{ Turn() }

// The states of an Activity. Every change is one atomic read-modify-write, so each one
// sees, and happens after, the one before it.
//
//	            Wake (starts a goroutine)
//	┌─────────┐ ────────────────────────► ┌───────┐
//	│ at rest │                           │ woken │ ◄─┐
//	└─────────┘ ◄──┐                      └───────┘   │ Wake
//	    │          │ Leave: nobody woke it    │ Turn   │
//	    │ Enter    │                          ▼        │
//	    │          └────────────────────  ┌─────────┐  │
//	    └───────────────────────────────► │ running │ ─┘
//	                                      └─────────┘
const (
	atRest  uint32 = iota // no goroutine, and none of the mail is unseen
	running               // a turn runs, and Wake was not called since it began
	woken                 // Wake was called, and no turn has begun since

	// inBubble stands beside running and woken if the turns are those of a goroutine in a
	// testing/synctest bubble.
	inBubble uint32 = 4
)

// here is inBubble if the caller is in a bubble, else 0.
func here() uint32 {
	if bubbles.Inside() {
		return inBubble
	}
	return 0
}

// An Activity is the on-demand goroutine of one actor: it exists only while there is mail.
// The zero value is at rest. An Activity must not be copied after first use.
//
// It owns one word and nothing else. Wake may be called by any goroutine. It has nothing
// to close: the goroutine ends by itself when Wake was not called during its last turn.
//
// In tests it may be used in one testing/synctest bubble after another, and outside, see
// [Activity.Settle].
//
// No wake-up is lost. Wake leaves the word at woken whatever it was. Only a turn's begin
// turns woken into running, and only running can become at rest, by a compare-and-swap
// that fails if Wake came in between. So after each Wake a turn begins, and it begins
// after the Wake: what the caller wrote before Wake is visible to that turn.
//
// Turns do not overlap. A goroutine is started only by the Swap that found at rest, or
// handed on by the goroutine that ran the last turn; the word is not at rest until
// that goroutine's last turn is over.
//
// At rest it costs 4 bytes. A Wake of a running Activity costs one atomic swap, of
// one at rest a goroutine start; neither allocates in steady state.
type Activity struct{ state atomic.Uint32 }

// Wake makes sure that t.Turn runs once more, beginning after this call began, on a goroutine
// of the Activity. It never blocks. Every call must name the same t. Wake panics if t is nil.
func (a *Activity) Wake(t Turner) {
	if t == nil {
		panic("actor: Wake of a nil Turner")
	}
	if a.state.Swap(woken|here()) == atRest {
		a.start(t)
	}
}

// Settle is called before a message is left that may have a channel of a testing/synctest bubble in
// it. If the caller is in a bubble, Settle waits until no turn goes on that began outside: its
// goroutine must not use that channel, and the bubble does not wait for it. Elsewhere Settle
// returns at once.
//
// After it no such turn begins before the bubble has ended: only a user outside could begin one, and
// an actor is used in one place after another. A turn of the bubble is marked, so Settle does not
// wait for one that itself waits for the clock of the bubble, which stands still while Settle looks.
// One that was entered is not marked, but must not wait.
func (a *Activity) Settle() {
	if !bubbles.Inside() {
		return
	}
	for s := a.state.Load(); s != atRest && s&inBubble == 0; s = a.state.Load() {
		runtime.Gosched()
	}
}

// start starts the goroutine; the caller, and no other, has made the state woken.
func (a *Activity) start(t Turner) {
	l, _ := launches.Get().(*launch)
	if l == nil {
		l = new(launch)
		l.run = l.begin
	}
	l.activity, l.turner = a, t
	go l.run()
}

// loop runs turns until one ends without a Wake in it. It is entered with the state woken.
func (a *Activity) loop(t Turner) {
	home, here := false, here()
	defer func() {
		if !home { // Goexit in a turn ended this goroutine, not the actor: another takes over.
			a.state.Swap(woken | here)
			a.start(t)
		}
	}()
	for {
		a.state.Swap(running | here) // a swap, not a store: it must happen after the Wake it answers
		t.Turn()
		if a.state.CompareAndSwap(running|here, atRest) {
			home = true
			return
		}
	}
}

// A launch carries an Activity into its new goroutine. It is pooled with its bound
// function, so that starting a goroutine allocates no closure.
type launch struct {
	activity *Activity
	turner   Turner
	run      func()
}

var launches sync.Pool // of *launch

// named is a Turner that knows what its goroutine is called.
type named interface{ ActorName() string }

func (l *launch) begin() {
	a, t := l.activity, l.turner
	l.activity, l.turner = nil, nil
	launches.Put(l)
	if n, ok := t.(named); ok {
		wearLabel(n.ActorName())
	} else {
		wearLabel("activity")
	}
	a.loop(t)
}
