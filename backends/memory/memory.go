package memory

import (
	"container/list"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// Backend is one client of a store in memory. Make it with [New] or [Backend.Peer]; the methods of
// the zero value panic. It is safe for concurrent use. It holds no goroutine while nothing is going
// on.
//
// A grant happens after the release that made room for it.
type Backend struct {
	store  *store
	id     uint64
	seq    uint64 // of the last request; owned by the store's actor
	closed bool   // owned by the store's actor
}

var _ backends.Backend = (*Backend)(nil)

var capabilities = backends.Capabilities{Name: "memory", Break: true, Immediate: true}

// New returns the first client of a new store.
func New() *Backend {
	s := &store{resources: make(map[string]*resource)}
	s.actor = actor.NewOnDemand("lockkeeper/memory", s.receive, s.fail)
	return s.client()
}

// Peer returns another client of the same store, as another process would be. It has an identity, grants and a Close of
// its own, and works whether or not b is closed.
func (b *Backend) Peer() *Backend { return b.made().client() }

// made returns the store. It panics if b is the zero value.
func (b *Backend) made() *store {
	if b.store == nil {
		panic("memory: use of a zero Backend: make it with New")
	}
	return b.store
}

// Capabilities tells what the store can do.
func (b *Backend) Capabilities() backends.Capabilities { return capabilities }

func (s *store) client() *Backend { return &Backend{store: s, id: rand.Uint64()} }

// call is one message to the store's actor, and the answer to it. A turn that answers a call does not touch it again,
// for its caller uses it for something else at once.
type call struct {
	turn    func(*store, *call)
	client  *Backend
	request backends.Request // acquire, try
	grant   backends.Grant   // release: what is given back; acquire, try: the answer
	target  *call            // cancelWait: the call that waits
	other   func(*store)     // any other verb
	place   *list.Element    // in the queue, while the call waits there
	since   time.Time        // when it came
	err     error
	told    func(error) // of a post: nobody waits on done
	state   atomic.Uint32
	done    chan struct{} // capacity 1: the actor never waits for a caller; made for the first wait
	bubbled bool          // done was made in a synctest bubble
}

// The states of a call. Most calls are answered before their caller looks, and need no channel.
const (
	open     uint32 = iota // nobody has answered, nobody waits
	awaited                // the caller waits on done, or is about to: whoever answers sends
	answered               // err, and grant, may be read
)

// newCall takes a call from the store's pool.
func (b *Backend) newCall(turn func(*store, *call)) *call {
	c, _ := b.made().calls.Get().(*call)
	if c == nil {
		c = new(call)
	}
	c.turn, c.client = turn, b
	return c
}

// free takes a call back whose answer has been received.
func (c *call) free() {
	s := c.client.store
	c.turn, c.client, c.request, c.grant, c.target = nil, nil, backends.Request{}, backends.Grant{}, nil
	c.other, c.place, c.since, c.err = nil, nil, time.Time{}, nil
	if c.bubbled { // a channel must not leave the bubble in which it was made
		c.bubbled, c.done = false, nil
	}
	c.state.Store(open)
	s.calls.Put(c)
}

func (c *call) answer(err error) {
	c.err = err
	if c.told != nil {
		if c.state.Swap(answered) != answered {
			c.told(err)
		}
		return
	}
	if c.state.Swap(answered) == awaited { // else the caller has it now, and c with it
		c.done <- struct{}{}
	}
}

// pending reports whether the answer is still to come. It then comes over done.
func (c *call) pending() bool {
	if c.state.Load() == answered {
		return false
	}
	if bubbles.Inside() || c.done == nil {
		c.done, c.bubbled = make(chan struct{}, 1), bubbles.MadeInside()
	}
	return c.state.CompareAndSwap(open, awaited)
}

// do has the actor handle c, which no turn leaves waiting, and returns when it is answered.
func (b *Backend) do(c *call) {
	b.store.actor.Deliver(c)
	if c.pending() {
		<-c.done
	}
}

// run has the actor call f, unless the client is closed.
func (b *Backend) run(verb, name string, f func(*store)) error {
	c := b.newCall((*store).run)
	defer c.free()
	c.other = f
	b.do(c)
	return wrap(verb, name, c.err)
}

func (s *store) run(c *call) {
	if c.client.closed {
		c.answer(backends.ErrClosed)
		return
	}
	c.other(s)
	c.answer(nil)
}

// callError says which call failed. It is put into words only if somebody reads it: busy is an everyday answer.
type callError struct {
	verb, name string
	err        error
}

func (e *callError) Error() string {
	if e.name == "" {
		return fmt.Sprintf("memory: %s: %v", e.verb, e.err)
	}
	return fmt.Sprintf("memory: %s %q: %v", e.verb, e.name, e.err)
}

func (e *callError) Unwrap() error { return e.err }

func wrap(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return &callError{verb, name, err}
}
