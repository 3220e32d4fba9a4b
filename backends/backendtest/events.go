package backendtest

import (
	"context"

	"github.com/lockkeeper/lockkeeper/backends"
)

var events = []Clause{
	{
		Name:  "Events/Contended",
		Text:  "a holder is told that it is contended when another client's request is queued",
		check: contendedEvent,
	},
	{
		Name:  "Events/ContendedGrant",
		Text:  "a grant and a renewal say whether another client waits; the client's own waiters do not count",
		check: contendedAnswers,
	},
	{
		Name:  "Events/Tried",
		Text:  "a holder that wants to know is told of a try by another client that finds the resource busy, and of no other try",
		check: triedEvent,
	},
	{
		Name:  "Events/NoneWithoutCause",
		Text:  "use by one client alone causes no events",
		check: noEventWithoutCause,
	},
}

func contendedEvent(s *session) {
	a, b := s.b, s.open()
	in := newInbox()
	r := s.mutex()
	r.Notify = in.notify
	g := s.acquire(a, r)
	if g.Contended {
		s.Error("a grant that nobody waits for is contended")
	}
	w := s.queue(b, s.mutex())
	s.event(in, g.ID, backends.Contended)
	s.release(a, g)
	s.release(b, w.granted())

	// Every holder is told, readers as well.
	r1, r2 := s.reader(), s.reader()
	in1, in2 := newInbox(), newInbox()
	r1.Notify, r2.Notify = in1.notify, in2.notify
	g1, g2 := s.acquire(a, r1), s.acquire(a, r2)
	w = s.queue(b, s.writer())
	s.event(in1, g1.ID, backends.Contended)
	s.event(in2, g2.ID, backends.Contended)
	s.release(a, g1)
	s.release(a, g2)
	s.release(b, w.granted())
}

func contendedAnswers(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	contended := func(g backends.Grant) bool {
		s.Helper()
		answer := s.renew(a, backends.Renewal{Grant: g, TTL: long})
		if answer.Err != nil {
			s.Fatalf("Renew: %v", answer.Err)
		}
		return answer.Contended
	}
	own := s.queue(a, s.mutex())
	if contended(g) {
		s.Error("a renewal is contended although only the same client waits")
	}
	other := s.queue(b, s.mutex())
	if !contended(g) {
		s.Error("a renewal is not contended although another client waits")
	}
	s.release(a, g)
	g = own.granted()
	if !g.Contended {
		s.Error("a grant is not contended although another client waits")
	}
	other.cancel()
	other.failed(context.Canceled)
	if contended(g) {
		s.Error("a renewal is contended although nobody waits any more")
	}
	s.release(a, g)
}

func triedEvent(s *session) {
	a, b := s.b, s.open()
	want := func(what string, in *inbox, id backends.GrantID, n int) {
		s.Helper()
		if n > 0 {
			s.event(in, id, backends.Tried)
		}
		if got := in.len(); got != n {
			s.Errorf("%s: %d events; want %d", what, got, n)
		}
	}
	deaf, keen := newInbox(), newInbox()
	r := s.permits(1, 3)
	r.Notify = deaf.notify
	first := s.acquire(a, r)
	r.Notify, r.Tries = keen.notify, true
	second := s.acquire(a, r)
	s.listens(a)
	s.busy(a, s.permits(2, 3))
	s.release(b, s.try(b, s.permits(1, 3)))
	want("a try by the same client, and one that succeeds", keen, second.ID, 0)
	s.busy(b, s.permits(2, 3))
	want("a try in vain", keen, second.ID, 1)
	s.releaseAll(a, first, second)
	s.release(b, s.try(b, s.permits(3, 3)))
	want("without Tries", deaf, first.ID, 0)
}

func noEventWithoutCause(s *session) {
	in := newInbox()
	r := s.mutex()
	r.Notify = in.notify
	for range 20 {
		g := s.acquire(s.b, r)
		w := s.queue(s.b, r)
		s.release(s.b, g)
		s.release(s.b, w.granted())
	}
	if n := in.len(); n > 0 {
		s.Errorf("%d events; the first is %+v", n, in.events[0])
	}
}
