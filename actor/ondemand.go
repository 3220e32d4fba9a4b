package actor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// An OnDemand is an actor whose goroutine exists only while there is mail. At rest it is
// plain data: there is nothing to close and nothing to leak.
//
// Owns: whatever receive touches; messages are handled one at a time, each turn happens
// after the one before it. Takes: messages of type M, from any goroutine. Its mail has no
// bound of its own, so it suits only senders that wait for an answer before they
// send again; a stream of messages belongs to an actor with a mailbox, see [Spawn].
//
// Order: a message told before another one was is handled before it. Stop: it does not
// stop; drop it. Failure: a panic or runtime.Goexit in receive, or in a task, is the end of
// receive, for the state may be half changed. From then on failed is called in its place,
// for the message that was being handled and for every later one, also one at a time
// and in order, so that a waiting sender can be told at once.
//
// In tests it may be used in one testing/synctest bubble after another, and outside: the first
// message in a bubble waits for a turn from outside to end. A message of After that is still to come
// ends with its bubble.
//
// It costs at most 128 bytes at rest. Tell and Deliver allocate nothing in steady state.
// An OnDemand must not be copied. Only NewOnDemand makes one: the methods of the zero value panic.
type OnDemand[M any] struct {
	name    string
	receive func(M)
	failed  func(M, *PanicError)
	nodes   *sync.Pool              // of *mail[M], shared by all actors of this M
	inbox   atomic.Pointer[mail[M]] // newest first; pushed by senders, taken whole by a turn

	// The rest belongs to the turn.
	ready *mail[M]    // taken from inbox, oldest first
	fault *PanicError // not nil: receive is not called again

	activity Activity
}

// mail is one message on its way.
type mail[M any] struct {
	next  *mail[M]
	msg   M
	timer *Timer      // not nil: handled only if the timer was not stopped
	fault *PanicError // not nil: a task failed with it; msg is the zero value
}

// NewOnDemand returns an actor at rest. The name is what its goroutine wears in profiles
// and goroutine dumps. It panics if receive or failed is nil.
//
// Failed is called with the message and the panic that ended receive (for runtime.Goexit
// the Value is an error that wraps [ErrNoReply]); after a failed task the message is the zero
// value. A panic in failed itself is not recovered: it could be told to no caller.
func NewOnDemand[M any](name string, receive func(M), failed func(M, *PanicError)) *OnDemand[M] {
	if receive == nil || failed == nil {
		panic("actor: NewOnDemand needs a receive and a failed function")
	}
	return &OnDemand[M]{name: name, receive: receive, failed: failed, nodes: mailPool[M]()}
}

// Tell queues msg and returns. It never blocks and cannot fail: the message is handled, or
// goes to failed, on the actor's own goroutine, after all mail told before it.
// What the caller wrote before Tell is visible to the handler.
func (a *OnDemand[M]) Tell(msg M) {
	a.made()
	a.push(msg, nil, nil)
}

// made panics if a is the zero value.
func (a *OnDemand[M]) made() {
	if a.receive == nil {
		panic("actor: use of a zero OnDemand: make it with NewOnDemand")
	}
}

// Deliver is Tell for a caller with time: if the actor is at rest, the caller's own
// goroutine handles the message before Deliver returns, which saves two goroutine switches.
// Otherwise the message is queued as by Tell. Either way mail that arrives meanwhile is left
// to the actor's goroutine, so the caller never works for others.
//
// It must not be called from inside another actor's turn, which would then not be over until
// this actor's turn is. A panic in receive does not reach the caller; runtime.Goexit
// in receive ends the caller's goroutine too, after the actor has been put in order.
func (a *OnDemand[M]) Deliver(msg M) {
	a.made()
	if !a.activity.Enter() {
		a.push(msg, nil, nil)
		return
	}
	a.lend(msg)
}

// TryDeliver is Deliver for a message that is of use only now: if the actor is at rest, the
// caller's own goroutine handles it before TryDeliver returns. Otherwise nothing happens and the
// answer is false.
//
// It never waits for another goroutine, so unlike Deliver it may be called from another actor's
// turn, if this actor's receive does nothing that a turn of that one must not do.
func (a *OnDemand[M]) TryDeliver(msg M) bool {
	a.made()
	if !a.activity.Enter() {
		return false
	}
	a.lend(msg)
	return true
}

// Go runs task on a goroutine of its own; what it returns is told to the actor. So a turn
// never waits for I/O. If task panics or calls runtime.Goexit, the actor fails as if
// receive had, and failed gets the zero message. Go panics on nil.
func (a *OnDemand[M]) Go(task func() M) {
	a.made()
	if task == nil {
		panic("actor: Go(nil)")
	}
	go a.perform(task)
}

// After tells msg to the actor when d has passed, unless the timer is stopped before the
// message is handled. A d of zero or less means at once.
func (a *OnDemand[M]) After(d time.Duration, msg M) *Timer {
	a.made()
	t := newTimer()
	t.clock = time.AfterFunc(d, func() { a.push(msg, t, nil) })
	return t
}

// turner is an OnDemand as its Activity sees it, so that Turn is no method of the public type.
type turner[M any] OnDemand[M]

func (t *turner[M]) Turn() {
	for (*OnDemand[M])(t).serve() {
	}
}

func (t *turner[M]) ActorName() string { return t.name }

func (a *OnDemand[M]) push(msg M, t *Timer, fault *PanicError) {
	a.activity.Settle()
	n := a.nodes.Get().(*mail[M])
	n.msg, n.timer, n.fault = msg, t, fault
	for {
		n.next = a.inbox.Load()
		if a.inbox.CompareAndSwap(n.next, n) {
			break
		}
	}
	a.activity.Wake((*turner[M])(a))
}

// next takes the oldest message, or nil when there is none.
func (a *OnDemand[M]) next() *mail[M] {
	if a.ready == nil {
		for n := a.inbox.Swap(nil); n != nil; {
			n.next, a.ready, n = a.ready, n, n.next
		}
	}
	n := a.ready
	if n != nil {
		a.ready = n.next
	}
	return n
}

// serve handles mail until there is none, and then reports false, or until a handler
// panics, and then reports true: there may be more.
func (a *OnDemand[M]) serve() (more bool) {
	var cur M
	done := false
	defer func() {
		if !done && a.fault == nil { // else failed itself panicked: not ours to hide
			more = true
			a.abort(cur, newPanicError(recover()))
		}
	}()
	for n := a.next(); n != nil; n = a.next() {
		t, fault := n.timer, n.fault
		cur = n.msg
		*n = mail[M]{}
		a.nodes.Put(n)
		switch {
		case fault != nil:
			a.abort(cur, fault)
		case t == nil || t.fire():
			a.handle(cur)
		}
	}
	done = true
	return false
}

// lend handles one message on the caller's goroutine, which has entered the activity.
func (a *OnDemand[M]) lend(msg M) {
	done := false
	if bubbles.Inside() { // receive may wait, in spite of what Enter asks for
		a.activity.state.Or(inBubble)
	}
	defer a.activity.Leave((*turner[M])(a)) // also when failed panics
	defer func() {
		if !done && a.fault == nil { // else failed itself panicked: not ours to hide
			a.abort(msg, newPanicError(recover()))
		}
	}()
	a.handle(msg)
	done = true
}

func (a *OnDemand[M]) handle(msg M) {
	if a.fault != nil {
		a.failed(msg, a.fault)
		return
	}
	a.receive(msg)
}

// abort ends receive for good, the first time, and passes msg to failed.
func (a *OnDemand[M]) abort(msg M, fault *PanicError) {
	if a.fault == nil {
		a.fault = fault
	}
	a.failed(msg, a.fault)
}

func (a *OnDemand[M]) perform(task func() M) {
	wearLabel(a.name)
	done := false
	defer func() {
		if !done {
			var none M
			a.push(none, nil, newPanicError(recover()))
		}
	}()
	msg := task()
	done = true
	a.Deliver(msg) // this goroutine has nothing else to do
}

// mailPools holds one pool for each message type, so that an idle actor pays a pointer
// for its share. The nodes carry no channel, so they may cross from one
// testing/synctest bubble to another.
var mailPools sync.Map // (*M)(nil) → *sync.Pool of *mail[M]

func mailPool[M any]() *sync.Pool {
	key := any((*M)(nil))
	if p, ok := mailPools.Load(key); ok {
		return p.(*sync.Pool)
	}
	p, _ := mailPools.LoadOrStore(key, &sync.Pool{New: func() any { return new(mail[M]) }})
	return p.(*sync.Pool)
}
