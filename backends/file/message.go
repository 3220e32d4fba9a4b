package file

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// verb is what a message asks a resource to do.
type verb uint8

const (
	start         verb = iota + 1 // op: its step here
	freed                         // the operation that has this table locked is over
	cancel                        // part, err
	cancelLate                    // part, err: its cancel has waited long enough
	releaseUntold                 // part: it was granted, and cancelled before it was told
	renew                         // query
	inspect                       // query
	breakAll                      // query
	shut                          // the Backend closes
	look                          // something may have changed: wake-up, event, timer
	again                         // look, once more after the last time
	verify                        // a file may have been removed or replaced
	died                          // client has ended
	tableLocked                   // err; the task that waited for the table's lock
	tidyUp                        // remove what is left of our last grant
	tick                          // the resource's timer
	closeIdle                     // retire if out of use, since the process has no descriptor left
	poison                        // err: an operation over this name and others has panicked
)

// message is what a resource's actor takes.
type message struct {
	verb   verb
	now    bool // start: only if it needs no wait
	step   int  // start: which of the operation's
	op     *operation
	part   *part
	query  *query
	client uint64
	err    error
}

// query is a question or an order for one name, whose caller waits for the answer.
type query struct {
	renewal backends.Renewal
	renewed backends.Renewed
	seen    backends.State
	writes  bool // it fails if the table cannot be written
	err     error
	done    chan struct{} // capacity 1: the actor never waits for a caller; nil in the answer of none
}

// ask sends a query to the name's resource and returns the error of its answer. The answer takes
// only as long as another process takes to change the table, but that one may have been stopped in
// the middle: then ctx ends the call, and what was asked for happens later. A name without a live
// resource has no grants to renew: ask says so without opening its files.
func (b *Backend) ask(ctx context.Context, name string, v verb, q *query) error {
	b.made()
	for !b.closing.Load() {
		s := lockdir.Stem(name)
		r := b.live(s)
		if r == nil && v == renew {
			return notHeld(q.renewal.Grant)
		}
		if r == nil {
			r = b.resource(name, s)
		}
		q.err, q.done = nil, make(chan struct{}, 1)
		r.actor.Deliver(message{verb: v, query: q})
		select {
		case <-q.done:
		default:
			select {
			case <-q.done:
			case <-ctx.Done(): // an answer that comes at the same time is not missed: nobody needs it
				return backends.Ended(ctx)
			}
		}
		if q.err != errRetired { //nolint:errorlint // ours, unwrapped
			return q.err
		}
	}
	return backends.ErrClosed
}

func (q *query) answer(err error) {
	if err != nil {
		q.err = err
	}
	q.done <- struct{}{}
}

// event is something to tell a holder or waiter when the table is unlocked again.
type event struct {
	notify func(backends.Event)
	backends.Event
}
