package memory

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// store is the actor that all clients share.
//
// Owns: every resource in use, and the fields of Backend that say so.
// Takes: *call.
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
type store struct {
	actor     *actor.OnDemand[*call]
	resources map[string]*resource
	floor     uint64
	spare     *resource // the last one that fell out of use, to be used again
	most      int       // resources in use at a time, since the map was made
	calls     sync.Pool // of *call; not the actor's, but the clients'
}

// roomKept is how much room for resources and holders is kept when there are none: a map never shrinks, a slice neither.
const roomKept = 64

type resource struct {
	backends.Resource
	used    int64
	token   uint64 // the last that was given out
	holders []*holder
	queue   list.List        // of *call
	places  map[*Backend]int // how many of the queue belong to each client
}

type holder struct {
	backends.Holder
	notify func(backends.Event)
}

func (s *store) receive(c *call) { c.turn(s, c) }

// fail answers the call whose turn has panicked, and every one after it; the first time also all that wait.
func (s *store) fail(c *call, p *actor.PanicError) {
	err := fmt.Errorf("%w: %w", backends.ErrUnavailable, p)
	if c.place == nil {
		c.answer(err)
	}
	for _, r := range s.resources {
		for e := r.queue.Front(); e != nil; e = e.Next() {
			e.Value.(*call).answer(err)
		}
	}
	clear(s.resources)
}

// open returns the resource, which it makes if nobody uses it.
func (s *store) open(want backends.Resource) (*resource, error) {
	r := s.resources[want.Name]
	if r == nil {
		if r, s.spare = s.spare, nil; r == nil {
			r = &resource{places: make(map[*Backend]int)}
		}
		r.Resource, r.token = want, s.floor
		s.resources[want.Name] = r
	}
	if r.Resource != want {
		return nil, &backends.MismatchError{Have: r.Resource, Want: want}
	}
	return r, nil
}

// settle is called whenever permits have come back or a waiter has left: the queue moves up, and a resource
// that is not in use any more is forgotten.
func (s *store) settle(r *resource) {
	var granted []*call
	for e := r.queue.Front(); e != nil && r.fits(e.Value.(*call)); e = r.queue.Front() {
		c := e.Value.(*call)
		r.leave(c)
		r.grant(c, time.Now())
		granted = append(granted, c)
	}
	// Whether others wait is known only now: those granted with a waiter do not wait any more.
	for _, c := range granted {
		c.grant.Contended, c.grant.Waited = r.contended(c.client), true
		c.answer(nil)
	}
	if len(r.holders) == 0 && r.queue.Len() == 0 {
		s.forget(r)
	}
}

func (s *store) forget(r *resource) {
	delete(s.resources, r.Name)
	s.floor = max(s.floor, r.token)
	if cap(r.holders) <= roomKept {
		s.spare = r
	}
	if s.most = max(s.most, len(s.resources)+1); len(s.resources) == 0 && s.most > roomKept {
		s.resources, s.most = make(map[string]*resource), 0
	}
}

func (r *resource) fits(c *call) bool { return c.request.Weight <= r.Capacity-r.used }

// grant makes c a holder. The caller answers it.
func (r *resource) grant(c *call, now time.Time) {
	c.grant = backends.Grant{
		ID:       c.grant.ID,
		Resource: r.Resource,
		Weight:   c.request.Weight,
		Token:    r.mint(c.request.Tokens, now),
		Tokens:   c.request.Tokens,
	}
	r.used += c.request.Weight
	r.holders = append(r.holders, &holder{
		Holder: backends.Holder{
			ID: c.grant.ID, Owner: c.request.Owner, Weight: c.grant.Weight, Token: c.grant.Token, Since: now,
		},
		notify: c.request.Notify,
	})
}

// mint returns the first of n new tokens.
func (r *resource) mint(n int, now time.Time) uint64 {
	first := backends.NextToken(r.token, now)
	r.token = first + uint64(n) - 1
	return first
}

// find returns where in holders the grant stands, if it still does.
func (r *resource) find(g backends.Grant) (int, bool) {
	i, found := slices.BinarySearchFunc(r.holders, g.Token, func(h *holder, token uint64) int {
		return cmp.Compare(h.Token, token)
	})
	return i, found && r.holders[i].ID == g.ID
}

// enqueue puts c at the end of the queue.
func (r *resource) enqueue(c *call) {
	c.place = r.queue.PushBack(c)
	r.places[c.client]++
}

// leave takes c out of the queue.
func (r *resource) leave(c *call) {
	r.queue.Remove(c.place)
	c.place = nil
	if r.places[c.client]--; r.places[c.client] == 0 {
		delete(r.places, c.client)
	}
}

// contended says whether any client but this one waits.
func (r *resource) contended(b *Backend) bool { return r.queue.Len() > r.places[b] }

// free gives back the permits of holder i and forgets it. The caller settles the resource.
func (r *resource) free(i int) *holder {
	h := r.holders[i]
	r.used -= h.Weight
	r.holders = slices.Delete(r.holders, i, i+1)
	return h
}

func (h *holder) tell(t backends.EventType, err error) {
	if h.notify != nil {
		h.notify(backends.Event{Grant: h.ID, Type: t, Err: err})
	}
}
