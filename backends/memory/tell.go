package memory

import "github.com/lockkeeper/lockkeeper/backends"

// tell is what a callback is told at the end of a turn: an answer to a request or to a release of
// op, or an event.
type tell struct {
	op      *backends.Op
	i       int
	release bool
	grant   backends.Grant
	err     error

	notify func(backends.Event)
	event  backends.EventType // about grant.ID
}

// answer says that request i of op has failed.
func (s *store) answer(op *backends.Op, i int, err error) {
	s.tells = append(s.tells, tell{op: op, i: i, err: err})
}

// released says what became of release i of op.
func (s *store) released(op *backends.Op, i int, err error) {
	s.tells = append(s.tells, tell{op: op, i: i, release: true, err: err})
}

// event says what happened to a holder, if it wants to know.
func (s *store) event(h *holder, t backends.EventType, err error) {
	if h.notify != nil {
		s.tells = append(s.tells, tell{notify: h.notify, event: t, grant: backends.Grant{ID: h.ID}, err: err})
	}
}

// tellAll calls the callbacks, in the order of what happened. After the last answer to an op its
// caller may use it for something else, so nothing touches op afterwards. If a callback panics,
// fail has tellRest go on with the next.
func (s *store) tellAll() {
	for s.told < len(s.tells) {
		t := &s.tells[s.told]
		s.told++
		switch {
		case t.notify != nil:
			t.notify(backends.Event{Grant: t.grant.ID, Type: t.event, Err: t.err})
		case t.release:
			t.op.Released(t.i, t.err)
		default:
			t.op.Granted(t.i, t.grant, t.err)
		}
	}
	clear(s.tells)
	if s.tells, s.told = s.tells[:0], 0; cap(s.tells) > roomKept {
		s.tells = nil
	}
}

// tellRest is tellAll after a callback has panicked. A panic of another one is dropped, for the
// first has been reported.
func (s *store) tellRest() {
	defer func() {
		if recover() != nil {
			s.tellRest()
		}
	}()
	s.tellAll()
}
