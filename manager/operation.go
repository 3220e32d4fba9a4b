package manager

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// operation is one op of the store, and what its answers mean to keepers.
//
// A store answers in the call of Start, or at any later time on any goroutine. An answer that comes
// in the call must wait for its end, for the keeper is in its turn, and has no place for it yet. So
// each call has a word with two bits: the callback sets told, and the starter sets started when
// Start has returned. Whichever is second passes the answer to the keeper: it is handled exactly
// once.
type operation struct {
	backends.Op
	released []*call // of Op.Release
	granted  []*call // of Op.Acquire
	calls    []call  // room for these

	todo backends.Work   // nil: none
	ctx  context.Context // of the caller that runs the work; nil if a task does, or there is no work
	sent atomic.Bool     // the work has been run: what is not answered stands in the store's queue
	work bool            // there is work, so the store may use the op after the answers
}

// call is one grant that a keeper releases or one request that it makes, and the store's answer.
type call struct {
	op    *operation
	k     *keeper
	phase atomic.Uint32
	grant backends.Grant // of a request
	err   error

	lease *lease // release: of the caller that waits for the answer; nil if none does
	whole bool   // release: of the whole resource

	request *request // the one for which it is made; nil for a release
	weight  int64
	least   time.Duration
	try     bool
	dropped bool   // no waiter wants it any more
	last    uint64 // the number of the last request that had come when it was made
}

// The bits of a call's phase.
const (
	claimed uint32 = 1 << iota // there is an answer
	told                       // it can be read
	started                    // Start has returned
)

// newOperation returns an operation for n calls.
func (m *Manager) newOperation(n int) *operation {
	op := m.operations.Get().(*operation)
	if cap(op.calls) < n {
		op.calls = make([]call, n)
	}
	op.calls = op.calls[:n]
	return op
}

// free takes back an operation whose answers have all been handled. The store may still use it if
// there is work.
func (m *Manager) free(op *operation) {
	if !op.work {
		op.reset()
		m.operations.Put(op)
	}
}

func makeOperation() any {
	op := &operation{}
	op.Released = func(i int, err error) { op.released[i].answer(backends.Grant{}, err) }
	op.Granted = func(i int, g backends.Grant, err error) { op.granted[i].answer(g, err) }
	return op
}

// answer takes the store's answer. Only a store that has panicked may give a second one: if that is
// a grant, it goes back.
func (c *call) answer(g backends.Grant, err error) {
	if c.phase.Or(claimed)&claimed != 0 {
		if c.request != nil && err == nil {
			g.AtLeast = 0
			c.k.discard(g)
		}
		return
	}
	c.grant, c.err = g, err
	if c.phase.Or(told)&started != 0 {
		c.k.tell(c)
	}
}

// addRelease makes op release a grant of k, and c take the answer.
func (op *operation) addRelease(c *call, k *keeper, g backends.Grant, l *lease, whole bool) {
	c.k, c.lease, c.whole = k, l, whole
	op.Release, op.released = append(op.Release, g), append(op.released, c)
}

// addRequest makes op request what r wants, and c take the answer.
func (op *operation) addRequest(c *call, k *keeper, r *request, q backends.Request) {
	c.op, c.k, c.request, c.last = op, k, r, k.uses
	c.weight, c.least, c.try = r.weight, r.least, r.try
	op.Acquire, op.granted, op.Wait = append(op.Acquire, q), append(op.granted, c), !r.try
}

// start starts an operation of this keeper alone. When it returns, each answer has been handled or
// is going to come as a message. The caller behind w, if any, may run the work, with ctx.
func (k *keeper) start(ctx context.Context, op *operation, w *workSlot) {
	if work := k.m.startStore(op); work != nil {
		k.run(ctx, op, work, w)
	} else {
		op.sent.Store(true)
	}
	if op.collect(k) {
		k.m.free(op)
	}
}

// reset prepares op for another use. What the store keeps in State may serve it again.
func (op *operation) reset() {
	for _, c := range op.released {
		c.clear()
	}
	for _, c := range op.granted {
		c.clear()
	}
	clear(op.Release)
	clear(op.Acquire)
	op.Release, op.Acquire = op.Release[:0], op.Acquire[:0]
	op.released, op.granted = op.released[:0], op.granted[:0]
	op.ctx = nil
	op.sent.Store(false)
}

// clear makes c the zero call.
func (c *call) clear() {
	c.phase.Store(0)
	c.op, c.k, c.grant, c.err = nil, nil, backends.Grant{}, nil
	c.lease, c.whole = nil, false
	c.request, c.weight, c.least, c.try, c.dropped, c.last = nil, 0, 0, false, false, 0
}

// startStore starts the operation at the store. A store that panics has told nothing, but it may
// have kept op.
func (m *Manager) startStore(op *operation) (work backends.Work) {
	op.work = true
	defer op.recover()
	work = m.store.Start(&op.Op)
	op.work = work != nil
	return work
}

// recover fails what a store has not answered that panics, and has its grants released once more.
func (op *operation) recover() {
	v := recover()
	if v == nil {
		return
	}
	err := &causeError{ErrUnavailable, &actor.PanicError{Value: v, Stack: debug.Stack()}}
	for i, c := range op.released {
		if c.phase.Load()&claimed == 0 {
			c.k.discard(op.Release[i])
		}
		c.answer(backends.Grant{}, err)
	}
	for _, c := range op.granted {
		c.answer(backends.Grant{}, err)
	}
}

// collect passes on the answers that came in the call of Start, to by directly, and reports whether
// all did.
func (op *operation) collect(by *keeper) bool {
	all := true
	for _, calls := range [2][]*call{op.released, op.granted} {
		for _, c := range calls {
			switch {
			case c.phase.Or(started)&told == 0:
				all = false
			case c.k == by:
				by.answered(c)
			default:
				c.k.tell(c)
			}
		}
	}
	return all
}

// cancel takes back what op still waits for. If the store panics, op has failed.
func (k *keeper) cancel(op *operation) {
	defer op.recover()
	if work := k.m.store.Cancel(&op.Op); work != nil {
		k.mail.Go(func() message {
			ctx, cancel := k.m.timeout(k.m.cfg.releaseTimeout)
			defer cancel()
			op.run(ctx, work)
			return nothing{}
		})
	}
}

// answered takes in the store's answer to a call.
func (k *keeper) answered(c *call) {
	switch {
	case c.request == nil:
		k.returned(c)
	case c.request.several != nil:
		k.partAnswered(c)
	default:
		k.replied(c)
	}
}

// tell tells the keeper something in the turn of another actor, at once if the keeper is at rest:
// its turn waits for nothing.
func (k *keeper) tell(msg message) {
	if !k.mail.TryDeliver(msg) {
		k.mail.Tell(msg)
	}
}
