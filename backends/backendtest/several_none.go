package backendtest

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

var severalNone = []Clause{
	{
		Name:  "Several/TryAllOrNone",
		Text:  "a try for several names gets all of them or fails with ErrBusy for each; then nothing is touched: no permit, no place, no token",
		check: severalTry,
	},
	{
		Name:  "Several/TryTouchesNobody",
		Text:  "a try for several names that fails causes no event but Tried, and only where it has found the resource busy",
		check: severalTryEvents,
	},
	{
		Name:  "Several/SameNameTwice",
		Text:  "an operation that requests a name twice is refused with ErrInvalid; its releases are made all the same",
		check: severalTwice,
	},
	{
		Name:  "Several/Mismatch",
		Text:  "if a request of an operation cannot be, all that are not granted fail with errors that wrap the cause, and nothing is left in a queue",
		check: severalMismatch,
	},
	{
		Name:  "Several/Invalid",
		Text:  "if a request of an operation makes no sense, all fail, and nothing is touched",
		check: severalInvalid,
	},
	{
		Name:  "Several/CancelHalfGranted",
		Text:  "Cancel takes back what an operation still waits for; what is granted stays the caller's until it is released",
		check: severalCancel,
	},
	{
		Name:  "Several/CancelRacesGrants",
		Text:  "a Cancel that races the grants of several names ends, for each, in exactly one of the two",
		check: severalCancelRaces,
	},
	{
		Name:  "Several/Close",
		Text:  "Close fails what an operation waits for with ErrClosed, and releases what it was granted",
		check: severalClose,
	},
}

func severalTry(s *session) {
	a, b := s.b, s.open()
	names := s.names(3)
	free, shared, held := named(names[0], s.mutex()), named(names[1], s.reader()), named(names[2], s.mutex())
	reader, holder := s.acquire(a, shared), s.acquire(a, held)
	for range 3 {
		s.attempt(b, free, shared, held).refused(backends.ErrBusy)
		s.attempt(b, held, shared, free).refused(backends.ErrBusy)
	}
	s.unused(free.Name)
	for _, g := range []backends.Grant{reader, holder} {
		state := s.inspect(g.Resource.Name)
		if len(state.Holders) != 1 || len(state.Waiters) != 0 || state.Token != g.Token {
			s.Errorf("after tries in vain: %+v; want only the grant %+v", state, g)
		}
	}

	writer := s.queue(a, named(shared.Name, s.writer()))
	s.release(a, holder)
	s.attempt(b, free, shared, held).refused(backends.ErrBusy) // it would fit, and overtake the writer
	s.release(a, reader)
	s.release(a, writer.granted())
	s.releaseAll(b, s.attempt(b, free, shared, held).grants()...)
	s.listsNothing(a)
}

func severalTryEvents(s *session) {
	a, b := s.b, s.open()
	names := s.names(3)
	var ins []*inbox
	var gs []backends.Grant
	for i, r := range []backends.Request{s.reader(), s.mutex(), s.mutex()} {
		in := newInbox()
		r.Name, r.Notify, r.Tries = names[i], in.notify, i < 2
		ins, gs = append(ins, in), append(gs, s.acquire(a, r))
	}
	s.listens(a)
	rs := append(s.mutexes(names[1:]...), named(names[0], s.reader()))
	s.attempt(b, rs...).refused(backends.ErrBusy)
	s.event(ins[1], gs[1].ID, backends.Tried)
	s.releaseAll(a, gs...)
	for i, in := range ins {
		if n := in.len(); n != i%2 {
			s.Errorf("%d events about name %d: the try fits 0, is busy with 1, whose holder wants to know, and with 2", n, i)
		}
	}
}

func severalTwice(s *session) {
	names := s.names(2)
	g := s.acquire(s.b, s.mutex())
	o := s.begin(s.b, []backends.Grant{g}, s.mutexes(names[0], names[1], names[0])...)
	o.freedAll()
	o.refused(backends.ErrInvalid)
	s.attempt(s.b, s.mutexes(names[0], names[0])...).refused(backends.ErrInvalid)
	s.listsNothing(s.b)
}

func severalMismatch(s *session) {
	a, b := s.b, s.open()
	names := s.names(3)
	held, other := s.acquire(a, named(names[1], s.mutex())), s.acquire(a, named(names[2], s.permits(1, 3)))
	for _, wait := range []bool{true, false} {
		o := s.prepare(b, nil, s.mutexes(names...)...)
		o.op.Wait = wait
		o.begin()
		for i := range 3 {
			switch a := o.answer(i); {
			case a.err == nil && i == 0 && wait: // granted before the failure
				s.release(b, a.grant)
			case !errors.Is(a.err, backends.ErrMismatch):
				s.Errorf("request %d beside one that cannot be, wait: %v: %+v, %v; want ErrMismatch", i, wait, a.grant, a.err)
			}
		}
		s.unused(names[0])
		s.waitQueued(names[1], 0)
	}
	s.releaseAll(a, held, other)
	s.listsNothing(a)
}

func severalInvalid(s *session) {
	names := s.names(2)
	g := s.acquire(s.b, s.mutex())
	large := named(names[1], s.permits(4, 3))
	o := s.begin(s.b, []backends.Grant{g}, named(names[0], s.mutex()), large)
	o.freedAll()
	o.refused(backends.ErrTooLarge)
	large.Weight = 0
	s.attempt(s.b, named(names[0], s.mutex()), large).refused(backends.ErrInvalid)
	s.listsNothing(s.b)
}

func severalCancel(s *session) {
	a, b := s.b, s.open()
	names := s.names(3)
	held := s.begin(a, nil, s.mutexes(names[1:]...)...).grants()
	o := s.begin(b, nil, s.mutexes(names...)...)
	g := o.grant(0)
	s.waitQueued(names[1], 1)
	s.waitQueued(names[2], 1)
	behind := s.queue(a, named(names[2], s.mutex()))
	o.cancel()
	o.fails(1, context.Canceled)
	o.fails(2, context.Canceled)
	s.waitQueued(names[1], 0)
	s.waitQueued(names[2], 1)
	s.busy(a, named(names[0], s.mutex()))
	s.releaseAll(a, held...)
	s.release(a, behind.granted())
	s.release(b, g)
	s.listsNothing(a)
}

func severalCancelRaces(s *session) {
	a, b := s.b, s.open()
	names := s.names(3)
	for range s.env.Rounds {
		held := s.begin(a, nil, s.mutexes(names[:2]...)...).grants()
		o := s.begin(b, nil, s.mutexes(names...)...)
		s.spawned.Go(o.cancel)
		s.releaseAll(a, held...)
		var got []backends.Grant
		for i := range names {
			if a := o.answer(i); a.err == nil {
				got = append(got, a.grant)
			} else if !errors.Is(a.err, context.Canceled) {
				s.Fatalf("a request that was cancelled: %v", a.err)
			}
		}
		s.releaseAll(b, got...)
		s.releaseAll(a, s.begin(a, nil, s.mutexes(names...)...).grants()...) // would wait for what was kept
	}
	s.listsNothing(a)
}

func severalClose(s *session) {
	a, b := s.b, s.open()
	names := s.names(2)
	held := s.acquire(a, named(names[1], s.mutex()))
	o := s.begin(b, nil, s.mutexes(names...)...)
	g := o.grant(0)
	s.waitQueued(names[1], 1)
	w := s.queue(a, named(names[0], s.mutex()))
	s.close(b)
	o.fails(1, backends.ErrClosed)
	h := w.granted()
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
	late := s.begin(b, []backends.Grant{g}, s.mutexes(names...)...)
	late.refused(backends.ErrClosed)
	late.freed(0, backends.ErrClosed)
	s.releaseAll(a, h, held)
	s.listsNothing(a)
}
