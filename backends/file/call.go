package file

import (
	"github.com/lockkeeper/lockkeeper/backends"
)

// verb is what a message asks a resource to do.
type verb uint8

const (
	acquire     verb = iota + 1 // call
	try                         // call
	cancelWait                  // call: the one that waits
	release                     // call.grant
	tryNow                      // call; see prompt.go
	releaseNow                  // call.grant
	renew                       // call.renewal
	inspect                     // call
	breakAll                    // call
	shut                        // the Backend closes
	look                        // something may have changed: wake-up, event, timer
	again                       // look, once more after the last time
	verify                      // a file may have been removed or replaced
	died                        // client has ended
	tableLocked                 // err; the task that waited for the table's lock
	tidyUp                      // remove what is left of our last grant
	tick                        // the resource's timer
	closeIdle                   // retire if out of use, since the process has no descriptor left
	giveUp                      // call: its cancellation has waited long enough
)

// message is what a resource's actor takes.
type message struct {
	verb   verb
	call   *call
	client uint64
	err    error
}

// callState is how far an acquire has come. It moves down only.
type callState uint8

const (
	fresh callState = iota
	waiting
	granted
	over // failed, released or lost
)

// call is a request on its way through a resource, and its answer. After an acquire was granted it stays, as what the
// resource knows of the grant. It belongs to the resource's actor from Deliver to done, and where it is an acquire's
// for good, but for answer and err: those are the caller's after done.
type call struct {
	request backends.Request
	id      backends.GrantID
	state   callState
	told    bool   // of contention
	waited  bool   // it was queued before its grant
	last    uint64 // of the grant's tokens

	grant backends.Grant // acquire: the answer. release: which
	query *query         // renew, inspect

	answered bool // by the actor, which does not touch done again
	err      error
	done     chan struct{} // capacity 1: the actor never waits for a caller
}

// query is what only the rarer calls need.
type query struct {
	renewal backends.Renewal
	renewed backends.Renewed
	seen    backends.State
}

// newCall returns a call with a channel that may have served another. The channels are the Backend's own because one made
// in a testing/synctest bubble must not leave it.
func (b *Backend) newCall() *call {
	b.made()
	done, _ := b.channels.Get().(chan struct{})
	if done == nil {
		done = make(chan struct{}, 1)
	}
	return &call{done: done}
}

// finish gives the channel of an answered call back.
func (b *Backend) finish(c *call) { b.channels.Put(c.done) }

// answer ends the call for its caller.
func (c *call) answer() {
	if !c.answered {
		c.answered = true
		c.done <- struct{}{}
	}
}

func (c *call) fail(err error) {
	if !c.answered {
		c.err = err
		c.state = over
		c.answer()
	}
}

// event is something to tell a holder or waiter when the table is unlocked again.
type event struct {
	notify func(backends.Event)
	backends.Event
}
