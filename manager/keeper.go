package manager

import (
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// A keeper stands between the store and this process's callers for one name.
//
// Owns: the local queue, the local holders, and the store's grants behind them. Takes: the messages
// below. It waits for no caller and for no store: Start of a store never blocks, and the work that
// it returns is run by the caller or by a task. Stops: it retires soon after its last use, or with
// the manager. Costs: about a kilobyte; a goroutine only while several messages come at once.
//
// Between turns:
//
//	I1  At most one request of this name stands before the store (atStore, or that of a pinned
//	    part).
//	I2  While a grant of the whole resource is here that was requested (own.live), there is no
//	    request at the store, and at most one holder. An adopted one is like a shared one.
//	I3  A request stands in at most one list, and its place says in which.
//	I4  Nothing is granted while a holder that lost the resource may still run (strays), for at most
//	    the stop margin.
//	I5  If a request waits, something is under way that will serve it: a request at the store, a
//	    holder, a stray's time, tokens on order, or a release.
//	I6  A try stands in the queue only before all requests that wait.
type keeper struct {
	m      *Manager
	name   string
	key    string // in the history, if kept
	kept   bool
	mail   *actor.OnDemand[message]
	notify func(backends.Event)

	kind backends.Kind // as it is used now, or was last
	cap  int64

	queue   line
	holders line
	strays  line

	own       grant    // of the whole resource, if live
	atStore   *call    // the request of this process that stands before the store
	pinned    *request // the part that holds the name, until the store has answered; see several.go
	returning int      // releases and detachments on their way to the store
	adopting  int      // adoptions on their way to the store
	ownBack   bool     // one of them is of the whole resource

	elsewhere

	timer  *actor.Timer
	wakeAt instant // of the timer
	early  []backends.Event

	renewErr atomic.Pointer[error] // of the last renewal, if it failed; read by callers too

	site *site // of the owners that wait for the name; nil if none ever did; owned by waits

	counters Counters
	slow     slowLog
	lastUse  int    // tokens used of the last whole grant
	rivals   bool   // others waited for it
	uses     uint64 // acquires so far
	usesThen uint64 // when the manager's actor was told of an idle keeper
	listed   bool   // the manager's actor will send a sweep
	away     bool   // made in a synctest bubble other than the manager's
	closing  bool
	retired  bool // out of the directory; answers every acquire with errRetired
}

// The messages of a keeper.
type (
	message any

	acquire    struct{ *request }
	cancelWait struct { // its caller waits until the keeper has removed it
		r      *request
		why    error // of the context
		err    error // that the caller returns: the keeper adds who holds the name
		answer answer
	}
	release struct{ *lease }
	nest    struct { // a re-entrant acquire
		lease
		until instant // for how long, then until when; over: the end of its margin; 0: no limit
		over  bool    // it reached its limit
	}
	expired struct{ *request } // its caller has seen by the clock that it is lost
	deny    struct {           // it would wait for ever
		*request
		err error
	}
	snapshot struct {
		*statistics
		row     *ResourceStats
		key     string // of the history, if kept
		kept    bool
		retired bool
		added   bool // to the sums of the statistics
	}
	tally func(*Counters) // counts an acquire that ended before it reached the keeper
	tick  struct{}        // a time has come
	sweep struct{}        // retire, if not used since
	shut  struct{}        // the manager closes
)

const keeperName = "lockkeeper/manager.keeper"

func newKeeper(m *Manager, name string) *keeper {
	k := &keeper{m: m, name: name, away: !m.bubbled && bubbles.MadeInside()}
	k.mail = actor.NewOnDemand(keeperName, k.receive, k.failed)
	k.notify = func(e backends.Event) { k.mail.Tell(&event{e}) }
	return k
}

func (k *keeper) receive(msg message) {
	switch msg := msg.(type) {
	case acquire:
		k.acquire(msg.request)
	case release:
		k.released(msg.lease)
	case *cancelWait:
		k.cancelWait(msg)
		msg.answer.settle()
	case *call:
		k.answered(msg)
	case leave:
		k.cancelPart(msg.request)
	case identified:
		k.seen, k.asking = msg.Holder, false
	case *whoHolds:
		k.whoHolds(msg)
	case *renewed:
		k.renewed(msg)
	case *event:
		k.event(msg.Event)
	case tally:
		k.count(msg)
	case tick:
		k.tick()
	case expired:
		k.expire(msg.request)
	case detach:
		k.detach(msg.departure)
	case departed:
		k.departed(msg.departure)
	case adopt:
		k.adopt(msg.arrival)
	case adopted:
		k.adopted(msg.arrival)
	case *nest:
		k.nest(msg)
	case limit:
		k.limit(msg.lease, msg.d)
	case deny:
		k.deny(msg.request, msg.err)
	case *snapshot:
		k.snapshot(msg)
		return // nothing has changed
	case lookHeld:
		k.sweepDropped(k.m.now())
	case sweep:
		k.sweep()
	case shut:
		k.shut()
	case nothing: // of a task that has told its result otherwise
	default:
		panic("bug: unknown message")
	}
	k.serve()
	k.rest()
}

// contend counts a request as contended, once. The keeper knows that others kept the request
// waiting in this process; the store tells it of other processes.
func (k *keeper) contend(r *request) {
	if !r.contended && !r.try {
		r.contended = true
		k.counters.Contended++
	}
}

// cancelWait removes a request whose caller is going. It comes once for each cancelled request.
func (k *keeper) cancelWait(c *cancelWait) {
	r, waited := c.r, k.waitOf(c.r, k.m.now())
	k.count(func(n *Counters) { n.contextEnded(c.why, waited) })
	if k.retired {
		return
	}
	c.err = k.held(c.err)
	if r.place == queued && r == k.queue.head && k.atStore != nil && k.atStore.op.sent.Load() {
		k.contend(r)
	}
	if r.place == queued { // else it was found cancelled when its turn came
		k.queue.remove(r)
		k.reconsider()
	}
}

// waitOf returns how long the request has waited at now.
func (k *keeper) waitOf(r *request, now instant) time.Duration {
	if !r.waited {
		return 0
	}
	return time.Duration(now - r.since)
}

// count counts what may come when the keeper has retired, and its counters have been added up.
func (k *keeper) count(f func(*Counters)) {
	if k.retired {
		k.m.dir.late(k, f)
	} else {
		f(&k.counters)
	}
}

// deny refuses a request that waits for its own caller.
func (k *keeper) deny(r *request, err error) {
	switch {
	case r.several != nil: // its caller cancels all parts
		if r.several.fail(r, err) {
			k.count(func(c *Counters) { c.refused(err) })
		}
	case r.place == queued:
		k.queue.remove(r)
		k.refuse(r, err)
		k.reconsider()
	}
}

// reconsider cancels the request at the store, and releases the parked grant, if their waiter has
// gone.
func (k *keeper) reconsider() {
	head := k.next()
	if c := k.atStore; c != nil && !c.dropped && (!k.suits(head, c) || head.try != c.try) {
		c.dropped = true
		k.cancel(c.op)
	}
	if k.own.parked && !k.takesOver(head) {
		k.releaseGrant(&k.own, nil)
	}
}

// refuse answers the request, which stands in no list, and counts it.
func (k *keeper) refuse(r *request, err error) {
	if r.refuse(err) { // else its cancelWait counts it
		k.count(func(c *Counters) { c.refused(err) })
	}
}

// refuseAll refuses all requests in the queue.
func (k *keeper) refuseAll(err error) {
	for r := k.queue.head; r != nil; r = k.queue.head {
		k.queue.remove(r)
		k.refuse(r, err)
	}
}

// idle reports whether the name is not in use in this process and no answer of the store is to
// come.
func (k *keeper) idle() bool {
	return k.queue.n == 0 && k.holders.n == 0 && k.strays.n == 0 &&
		k.atStore == nil && k.pinned == nil && k.returning+k.adopting == 0 && !k.own.live
}

// rest is the end of each turn: an idle keeper has itself listed for a sweep, or retires at once if
// the manager closes.
func (k *keeper) rest() {
	if k.retired || k.asking || !k.idle() {
		return
	}
	if k.closing {
		k.retire()
		k.m.actor.mail.Tell(gone{})
		return
	}
	if !k.listed {
		k.listed, k.usesThen = true, k.uses
		k.m.actor.mail.Tell(idle{k})
	}
}

// sweep retires a keeper that has not been used since it was listed as idle.
func (k *keeper) sweep() {
	k.listed = false // if still idle, rest asks again
	if !k.retired && k.uses == k.usesThen && !k.asking && k.idle() {
		k.retire()
	}
}

func (k *keeper) retire() {
	k.retired = true
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	k.m.dir.remove(k)
}

// shut ends everything: the manager closes.
func (k *keeper) shut() {
	if k.retired {
		k.m.actor.mail.Tell(gone{})
		return
	}
	k.closing = true
	k.refuseAll(ErrClosed)
	k.reconsider()
	if k.idling() {
		k.releaseGrant(&k.own, nil)
	}
	now := k.m.now()
	for r := k.holders.head; r != nil; r = k.holders.head {
		k.lose(r, ByClose, nil, now+instant(k.m.cfg.margin))
	}
}

func (k *keeper) resource() backends.Resource {
	return backends.Resource{Name: k.name, Kind: k.kind, Capacity: k.cap}
}

func (r *request) resource() backends.Resource {
	return backends.Resource{Name: r.k.name, Kind: r.kind, Capacity: r.cap}
}
