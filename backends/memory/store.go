package memory

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// store is the actor that all clients share.
//
// Owns: every resource in use, and the fields of Backend and message that say so.
// Takes: *message.
// Stops: never; at rest it is data that the garbage collector takes with its last client.
//
// Between turns:
//
//	I1  A resource is in the map if and only if it has a holder or a waiter.
//	I2  used is the sum of the holders' weights, and at most the capacity.
//	I3  The head of a queue does not fit.
//	I4  Every token of a name is smaller than the next: holders stand in the order of their tokens.
//	I5  floor is at least the last token of every name that is not in the map.
//	I6  A closed client holds nothing and waits for nothing.
//	I7  Two operations that wait for the same names stand in the same order in each of their queues.
type store struct {
	actor     *actor.OnDemand[*message]
	resources map[string]*resource
	floor     uint64
	most      int    // resources in use at a time, since the map was made
	tells     []tell // of this turn
	told      int    // how many of them
	failed    bool   // a callback has panicked

	// Out of use, to be used again.
	idle    []*resource
	vacated []*holder
}

// roomKept is how much room for resources, holders and tells is kept when there are none: a map
// never shrinks, a slice neither.
const roomKept = 64

type resource struct {
	backends.Resource
	used    int64
	token   uint64 // the last that was given out
	holders []*holder
	queue   list.List      // of *place
	waiters map[uint64]int // how many of the queue belong to each client
}

type holder struct {
	backends.Holder
	notify       func(backends.Event)
	quiet, tries bool
	least        time.Duration // after Since, until when the permits stay taken
	seal         *seal         // of a detached grant; else nil
	timer        *actor.Timer  // ends a kept or detached grant; nil: a client holds it
}

// place is where a request stands in the queue of its resource.
type place struct {
	element  *list.Element // nil: it does not stand there any more
	resource *resource
	op       *backends.Op
	i        int // of the request in op
	id       backends.GrantID
	since    time.Time
}

// open makes a resource that nobody uses. A resource that is free grants every request that makes
// sense: none stays behind without a use.
func (s *store) open(want backends.Resource) *resource {
	r := pop(&s.idle)
	r.Resource, r.token = want, s.floor
	s.resources[want.Name] = r
	return r
}

// settle is called whenever permits have come back or a waiter has left: the queue moves up, and a
// resource that is not in use any more is forgotten.
func (s *store) settle(r *resource) {
	first := len(s.tells)
	for e := r.queue.Front(); e != nil; e = r.queue.Front() {
		w := e.Value.(*place)
		if w.op.Acquire[w.i].Weight > r.Capacity-r.used {
			break
		}
		r.leave(w)
		s.grant(r, w.op, w.i, w.id, time.Now())
	}
	// Whether others wait is known only now: those granted with a waiter do not wait any more.
	for i := range s.tells[first:] {
		g := &s.tells[first+i].grant
		g.Contended, g.Waited = r.contended(g.ID.Client), true
	}
	if len(r.holders) == 0 && r.queue.Len() == 0 {
		s.forget(r)
	}
}

func (s *store) forget(r *resource) {
	delete(s.resources, r.Name)
	s.floor = max(s.floor, r.token)
	if cap(r.holders) <= roomKept {
		push(&s.idle, r)
	}
	if s.most = max(s.most, len(s.resources)+1); len(s.resources) == 0 && s.most > roomKept {
		s.resources, s.most = make(map[string]*resource), 0
	}
}

// room says whether a new request of this weight is granted at once: nobody waits and it fits.
func (r *resource) room(weight int64) bool {
	return r.queue.Len() == 0 && weight <= r.Capacity-r.used
}

// grant makes request i of op a holder.
func (s *store) grant(r *resource, op *backends.Op, i int, id backends.GrantID, now time.Time) {
	want := &op.Acquire[i]
	token := r.mint(want.Tokens, now)
	r.used += want.Weight
	h := pop(&s.vacated)
	h.Holder = backends.Holder{ID: id, Owner: want.Owner, Weight: want.Weight, Token: token, Since: now}
	h.notify, h.quiet, h.tries, h.least = want.Notify, want.Quiet, want.Tries, want.AtLeast
	r.holders = append(r.holders, h)
	s.tells = append(s.tells, tell{op: op, i: i, grant: backends.Grant{
		ID: id, Resource: r.Resource, Weight: want.Weight, Token: token, Tokens: want.Tokens,
		AtLeast: want.AtLeast,
	}})
}

// mint returns the first of n new tokens.
func (r *resource) mint(n int, now time.Time) uint64 {
	first := backends.NextToken(r.token, now)
	r.token = first + uint64(n) - 1
	return first
}

// find returns where in holders the grant stands, if it is still held.
func (r *resource) find(g *backends.Grant) (int, bool) {
	i, found := slices.BinarySearchFunc(r.holders, g.Token, func(h *holder, token uint64) int {
		return cmp.Compare(h.Token, token)
	})
	return i, found && r.holders[i].ID == g.ID && r.holders[i].timer == nil
}

// enqueue puts the place at the end of the queue.
func (r *resource) enqueue(at *place, w place) {
	*at = w
	at.element = r.queue.PushBack(at)
	if r.waiters == nil {
		r.waiters = make(map[uint64]int)
	}
	r.waiters[w.id.Client]++
}

// leave takes the place out of the queue.
func (r *resource) leave(w *place) {
	r.queue.Remove(w.element)
	w.element = nil
	if r.waiters[w.id.Client]--; r.waiters[w.id.Client] == 0 {
		delete(r.waiters, w.id.Client)
	}
}

// contended says whether any client but this one waits.
func (r *resource) contended(client uint64) bool { return r.queue.Len() > r.waiters[client] }

// free gives back the permits of holder i and forgets it. The caller settles the resource.
func (s *store) free(r *resource, i int) {
	h := r.holders[i]
	if h.timer != nil {
		h.timer.Stop()
	}
	r.used -= h.Weight
	r.holders = slices.Delete(r.holders, i, i+1)
	*h = holder{}
	push(&s.vacated, h)
}

// pop takes the last of the spare ones, or makes one.
func pop[T any](spare *[]*T) *T {
	n := len(*spare) - 1
	if n < 0 {
		return new(T)
	}
	v := (*spare)[n]
	*spare = (*spare)[:n]
	return v
}

// push keeps v, if there are not too many.
func push[T any](spare *[]*T, v *T) {
	if len(*spare) < roomKept {
		*spare = append(*spare, v)
	}
}
