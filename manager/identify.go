package manager

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// A wait that times out is to say who holds the name, also if that is another process. The store
// knows, but an error must not be delayed, so it is asked before the deadline, and what it has not
// said by then is not waited for. One question, an Inspect, serves all waiters of the name whose
// deadlines are near.

// askBefore is how long before its deadline a wait has the store asked: so long that a store in
// another city answers in time, so short that the answer is still of use. A short wait has it asked
// when half of it is over.
const askBefore = instant(250 * time.Millisecond)

// elsewhere is what a keeper knows of holders in other processes.
type elsewhere struct {
	seen   *backends.Holder // as the store said; nil: not known
	asked  instant          // when the store was asked
	asking bool             // it has not answered
}

type (
	identify struct { // to a keeper: who holds, for a request that is about to time out
		r     *request
		until time.Time
	}
	identifyPart struct { // to the manager's actor: the same for a request for several names
		*several
		until time.Time
	}
	identified struct{ *backends.Holder } // nil: not known

	whoHolds struct { // its caller waits until the keeper has added to err who keeps r waiting
		r      *request
		err    error
		answer answer
	}
)

// identifyInTime has mail told msg shortly before the deadline of a wait. The caller stops the
// timer, which is nil if there is nothing to tell: without other processes, without a deadline, or
// if there is an answer.
func (m *Manager) identifyInTime(
	ctx context.Context, a *answer, mail *actor.OnDemand[message], msg func(until time.Time) message,
) *actor.Timer {
	if !m.caps.CrossProcess || a.signal.Load() == settled {
		return nil
	}
	until, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	left := time.Until(until)
	return mail.After(left-min(left/2, time.Duration(askBefore)), msg(until))
}

// identify asks the store who holds the name, unless that is known, or known soon. Its turn waits
// for nothing: a task asks.
func (k *keeper) identify(q identify) {
	now := k.m.now()
	switch r := q.r; {
	case r.several != nil && !k.keepsWaiting(r):
		r.several.identifyNext(r.index+1, q.until)
	case r.place != queued || k.inTheWay() != nil || k.asked != 0 && now < k.asked+askBefore:
	default:
		k.asked, k.seen, k.asking = now, nil, true
		k.mail.Go(func() message { return k.m.ask(k.name, q.until) })
	}
}

// ask runs in a task. A store that panics does not know.
func (m *Manager) ask(name string, until time.Time) (known identified) {
	defer func() { _ = recover() }()
	ctx, cancel := context.WithDeadline(m.life, until)
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

// identifyNext has the keeper of the first part that still waits, from part i on, ask the store.
// All parts are placed.
func (s *several) identifyNext(i int, until time.Time) {
	for ; i < len(s.parts); i++ {
		if r := &s.parts[i]; r.state.Load() == pending {
			r.k.tell(identify{r, until})
			return
		}
	}
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
