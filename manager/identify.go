package manager

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A wait that times out is to say who holds the name, also if that is another process. The store
// knows, but an error must not be delayed, so it is asked before the deadline, and what it has not
// said by then is not waited for. One question, an Inspect, serves all waiters of the name whose
// deadlines are near.

// askBefore is how long before its deadline a wait has the store asked: so long that a store in
// another city answers in time, so short that the answer is still of use. A short wait has it asked
// when half of it is over. A name is asked about once in that time at most.
const askBefore = instant(250 * time.Millisecond)

// elsewhere is what a keeper knows of holders in other processes.
type elsewhere struct {
	seen   *backends.Holder // as the store said; nil: not known
	asked  instant          // when the store was asked
	asking bool             // it has not answered
}

type (
	identified struct{ *backends.Holder } // nil: not known

	whoHolds struct { // its caller waits until the keeper has added to err who keeps r waiting
		r      *request
		err    error
		answer answer
	}
)

// identifyInTime has the keeper look shortly before the deadline of a wait that begins now.
func (k *keeper) identifyInTime(r *request) {
	if at := r.askAt(); at != 0 {
		k.watch(at)
	}
}

// askAt is when the store is to be asked who keeps a queued request waiting; 0: not at all, without
// a deadline or other processes.
func (r *request) askAt() instant {
	if r.try || !r.k.m.caps.CrossProcess {
		return 0
	}
	ctx := r.ctx
	if r.several != nil {
		ctx = r.several.ctx
	}
	until, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	at := instant(until.Sub(r.k.m.epoch))
	return at - min((at-r.since)/2, askBefore)
}

// identify asks the store who holds the name if that is to be told soon and is not known, and
// returns when to look again; 0: not for what waits now. The turn waits for nothing: a task asks.
func (k *keeper) identify(now instant) (next instant) {
	due := false
	for r := k.queue.head; r != nil; r = r.next {
		switch at := r.askAt(); {
		case at == 0:
		case at <= now: // it ends soon, or has ended
			due = due || k.keepsWaiting(r)
		case next == 0 || at < next:
			next = at
		}
	}
	fresh := k.asked != 0 && now < k.asked+askBefore
	if due && !fresh && k.inTheWay() == nil {
		k.asked, k.seen, k.asking = now, nil, true
		k.mail.Go(func() message { return k.m.ask(k.name) })
	}
	if next != 0 && k.asked != 0 { // what is asked now serves until then
		next = max(next, k.asked+askBefore)
	}
	return next
}

// ask runs in a task. A store that panics does not know.
func (m *Manager) ask(name string) (known identified) {
	defer func() { _ = recover() }()
	ctx, cancel := context.WithTimeout(m.life, time.Duration(askBefore))
	defer cancel()
	state, err := m.store.Inspect(ctx, name)
	if err == nil && len(state.Holders) > 0 {
		known.Holder = &state.Holders[0]
	}
	return known
}

// whoHolds answers the caller of a part.
func (k *keeper) whoHolds(q *whoHolds) {
	if k.keepsWaiting(q.r) {
		q.err = k.held(q.err)
	}
	q.answer.settle()
}

// keepsWaiting reports whether r waits for this name: one that is pinned, and waits until all parts
// of its request are, waits for other names.
func (k *keeper) keepsWaiting(r *request) bool {
	return r.place == queued && (k.pinned != r || r.several.missing.Load() == 0)
}

// blame adds to err who holds the first part that was waited for, of those of which that is known,
// and returns the name of the part. The caller waits for a turn of each keeper at most, and those
// wait for nothing.
func (s *several) blame(err error) (string, error) {
	for i := range s.parts {
		r, name := &s.parts[i], s.names[i].name
		if r.state.Load() == accepted {
			continue
		}
		k := s.m.keeper(name) // not r.k, which the manager's actor may be about to set
		if k == nil {
			break // closed
		}
		q := &whoHolds{r: r, err: err}
		k.mail.Deliver(q)
		q.answer.await(s.m, nil, nil)
		if held := (*HeldError)(nil); errors.As(q.err, &held) {
			return name, q.err
		}
	}
	return joined(s.names), err
}
