package manager

import (
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// A keeper stands between the store and this process's callers for one name.
//
// Owns: the local queue, the local holders, and the store's grants behind them.
// Takes: the messages below. It never waits for a caller, nor for the store: it calls one in its turn only if that is Immediate,
// or has a Prompt, and leaves the rest to tasks.
// Stops: it retires soon after its last use, or with the manager.
// Costs: about a kilobyte; a goroutine only while several messages come at once.
//
// Between turns:
//
//	I1  At most one request of this name stands before the store (asking).
//	I2  While a grant of the whole resource is here (own.live), there is no request, and at most one holder.
//	I3  A request stands in at most one list, and its place says in which.
//	I4  Nobody is granted anything while one who lost the resource may still run (strays), for at most the stop margin.
//	I5  If somebody waits, something is under way that will serve him: a request, a holder, a stray's time, tokens on order,
//	    or a release.
//	I6  A try stands in the queue only before all who are willing to wait.
type keeper struct {
	m      *Manager
	name   string
	mail   *actor.OnDemand[message]
	notify func(backends.Event)

	kind backends.Kind // as it is used now, or was last
	cap  int64

	queue   line
	holders line
	strays  line
	leaving int // abandoned requests whose cancelWait is still to come

	own       grant // of the whole resource, if live
	asking    *ask
	wary      int  // so many more grants without a rival before a caller tries
	setback   int  // what it was set to last
	returning int  // releases on their way to the store
	ownBack   bool // one of them is of the whole resource

	timer  *actor.Timer
	wakeAt instant // of the timer
	early  []backends.Event

	site *site // of the owners that wait for the name; nil if none ever did; owned by waits

	counters Counters
	lastUse  int    // tokens used of the last whole grant
	rivals   bool   // others waited for it
	uses     uint64 // acquires so far
	usesThen uint64 // when the caretaker was told of an idle keeper
	listed   bool   // the caretaker will send a sweep
	away     bool   // made in a synctest bubble other than the manager's
	closing  bool
	retired  bool // out of the directory; answers every acquire with errRetired
}

// The messages of a keeper.
type (
	message any

	acquire    struct{ *request }
	cancelWait struct {
		*request
		why error // the context's error; nil: the request is made again, and counts then
	}
	release struct{ *lease }
	nest    struct { // a re-entrant acquire
		lease
		until instant // first for how long, then until when; if over, the end of its margin; 0: no limit
		over  bool    // it reached its limit
	}
	expired struct{ *request } // somebody has seen by the clock that it is lost
	deny    struct {           // it would wait for ever
		*request
		err error
	}
	snapshot struct {
		*lease  // for the signal
		row     ResourceStats
		retired bool
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
		k.release(msg.lease, msg.lease)
	case cancelWait:
		k.cancelWait(msg.request, msg.why)
	case *answered:
		k.answered(msg)
	case *returned:
		k.returned(msg)
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
	case *nest:
		k.nest(msg)
	case limit:
		k.limit(msg.lease, msg.d)
	case deny:
		k.deny(msg.request, msg.err)
	case *snapshot:
		k.snapshot(msg)
	case lookHeld:
		k.sweepDropped(k.m.now())
	case sweep:
		k.sweep()
	case shut:
		k.shut()
	case nothing: // of a task that has said what it had to say
	default:
		panic("bug: unknown message")
	}
	k.rest()
}

// acquire queues the request and serves the queue, unless it can be refused at once.
func (k *keeper) acquire(r *request) {
	k.uses++
	r.number = k.uses
	switch {
	case k.retired:
		r.refuse(errRetired) // abandoned: nobody waits for the answer, and nobody counts
		return
	case k.closing:
		k.refuse(r, ErrClosed)
		return
	case r.kind != k.kind || r.cap != k.cap:
		if !k.idle() {
			k.refuse(r, &MismatchError{Have: k.resource(), Want: r.resource()})
			return
		}
		k.kind, k.cap = r.kind, r.cap
	}
	if r.try && (k.own.live || k.strays.n > 0 || k.queue.n > 0 && !k.queue.tail.try) {
		k.refuse(r, ErrBusy)
		return
	}
	others := k.own.live || k.ownBack || k.strays.n > 0 || k.queue.n > 0
	k.queue.push(r, queued)
	k.serve()
	if r.place != queued {
		return
	}
	r.waited, r.since = true, k.m.now()
	if others {
		k.contend(r)
	}
	if !r.try {
		k.order()
		if r.outer != nil && (k.holders.n > 0 || k.queue.n > 1) { // else it waits for no owner here
			k.register(r)
		}
	}
}

// contend counts a request as contended, once. The keeper knows that others kept the request
// waiting in this process; the store tells it of other processes.
func (k *keeper) contend(r *request) {
	if !r.contended && !r.try {
		r.contended = true
		k.counters.Contended++
	}
}

// cancelWait takes a request out whose caller has gone. It comes once for each abandoned request.
func (k *keeper) cancelWait(r *request, why error) {
	var waited time.Duration
	if r.waited {
		waited = time.Duration(k.m.now() - r.since)
	}
	if why != nil {
		k.count(func(c *Counters) { c.contextEnded(why, waited) })
	}
	if k.retired {
		return
	}
	if r.place == queued && r == k.queue.head && k.asking != nil && k.asking.sent.Load() {
		k.contend(r)
	}
	if r.place != queued { // it was found abandoned when its turn came
		k.leaving--
		return
	}
	k.queue.remove(r)
	k.reconsider()
	k.serve()
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
	if r.place != queued {
		return
	}
	k.queue.remove(r)
	k.refuse(r, err)
	k.reconsider()
	k.serve()
}

// reconsider gives up what is held or asked for somebody who does not wait any more.
func (k *keeper) reconsider() {
	head := k.queue.head
	if a := k.asking; a != nil && !a.dropped && (!k.suits(head, a.weight, a.last) || head.try != a.try) {
		a.dropped = true
		a.cancel()
	}
	if k.own.parked && (head == nil || head.weight != k.cap) {
		k.yield(&k.own, nil)
	}
}

// refuse answers the request, which stands in no list, and counts it.
func (k *keeper) refuse(r *request, err error) {
	if !r.refuse(err) {
		k.leaving++ // its cancelWait counts it
		return
	}
	k.count(func(c *Counters) { c.refused(err) })
}

// refuseAll answers everybody in the queue.
func (k *keeper) refuseAll(err error) {
	for r := k.queue.head; r != nil; r = k.queue.head {
		k.queue.remove(r)
		k.refuse(r, err)
	}
}

// nest counts a re-entrant lease in, if the grant is still held.
func (k *keeper) nest(n *nest) {
	r := n.req
	switch {
	case r.place == holding && r.handles > 0:
		r.handles++
		if r.nested == nil {
			r.nested = new([]*nest)
		}
		*r.nested = append(*r.nested, n)
		k.counters.granted(0)
		if n.until > 0 {
			n.until += k.m.now()
			k.watch(n.until)
		}
	default:
		n.result = r.gone() // not counted: the caller makes a plain acquire instead
	}
	n.settle()
}

// gone says why a grant is not there to be entered again.
func (r *request) gone() error {
	if err := r.err(); err != nil {
		return err
	}
	return ErrReleased
}

// idle says that nobody uses the name in this process and the store has nothing more to say.
func (k *keeper) idle() bool {
	return k.queue.n == 0 && k.holders.n == 0 && k.strays.n == 0 && k.leaving == 0 &&
		k.asking == nil && k.returning == 0 && !k.own.live
}

// rest is the end of each turn: an idle keeper asks to be looked at soon, or goes at once if the manager closes.
func (k *keeper) rest() {
	if k.retired || !k.idle() {
		return
	}
	if k.closing {
		k.retire()
		k.m.caretaker.mail.Tell(gone{})
		return
	}
	if !k.listed {
		k.listed, k.usesThen = true, k.uses
		k.m.caretaker.mail.Tell(idle{k})
	}
}

// sweep retires a keeper that nobody has used since it asked to be looked at.
func (k *keeper) sweep() {
	k.listed = false // if still idle, rest asks again
	if !k.retired && k.uses == k.usesThen && k.idle() {
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
		k.m.caretaker.mail.Tell(gone{})
		return
	}
	k.closing = true
	k.refuseAll(ErrClosed)
	k.reconsider()
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
