package backendtest

import (
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

var busy = []Clause{
	{
		Name:  "Busy/NamesTheHolder",
		Text:  "a try that is refused because of a holder names it: owner, token and since when, as Inspect does",
		needs: needsNamesHolder,
		check: busyNames,
	},
	{
		Name:  "Busy/NamesWhoHoldsNow",
		Text:  "a try names who holds when it is refused, not who held before",
		needs: needsNamesHolder,
		check: busyNamesNow,
	},
	{
		Name:  "Busy/NamesTheBusyName",
		Text:  "a try for several names tells, for each, the same busy name and its holder",
		needs: needsNamesHolder,
		check: busyNamesName,
	},
}

func needsNamesHolder(s *session) string {
	if !s.caps.NamesHolder {
		return "a store that says no more than busy"
	}
	return ""
}

func busyNames(s *session) {
	a, b := s.b, s.open()
	for _, r := range []backends.Request{s.mutex(), s.writer(), s.permits(3, 3)} {
		g := s.acquire(a, owned(r, "a \"label\" with\nlines"))
		if h := s.namedHolder(b, r); h.Token != g.Token {
			s.Errorf("the try names %+v; want the holder of %+v", h, g)
		}
		s.namedHolder(a, r) // the client that holds is told as well
		s.release(a, g)
	}
	r := s.permits(1, 2)
	g, g2 := s.acquire(a, owned(r, "first")), s.acquire(b, owned(r, "second"))
	s.namedHolder(b, r)
	s.release(a, g)
	if h := s.namedHolder(b, s.permits(2, 2)); h.ID != g2.ID {
		s.Errorf("the try names %+v; want the only holder left, %+v", h, g2)
	}
	s.release(b, g2)
}

func busyNamesNow(s *session) {
	a, b := s.b, s.open()
	for i := range s.env.Rounds/20 + 2 {
		client := []backends.Backend{a, b}[i%2]
		g := s.acquire(client, owned(s.mutex(), string(rune('a'+i%26))))
		if h := s.namedHolder(b, s.mutex()); h.ID != g.ID {
			s.Fatalf("round %d: the try names %+v; want the holder of %+v", i, h, g)
		}
		s.release(client, g)
	}
	g := s.acquire(a, owned(s.mutex(), "first"))
	w := s.queue(b, owned(s.mutex(), "second"))
	s.namedHolder(b, s.mutex())
	s.release(a, g)
	g = w.granted()
	if h := s.namedHolder(a, s.mutex()); h.ID != g.ID || h.Owner.Label != "second" {
		s.Errorf("after a hand-over the try names %+v; want the new holder", h)
	}
	s.release(b, g)
}

func busyNamesName(s *session) {
	a, b := s.b, s.open()
	rs := s.mutexes(s.names(3)...)
	g := s.acquire(a, owned(rs[1], "holder"))
	o := s.attempt(b, rs...)
	for i := range rs {
		if e := s.busyError(o.answer(i).err); e.Name != rs[1].Name || e.Holder.ID != g.ID {
			s.Errorf("request %d is told %+v; want the holder of %q", i, e, rs[1].Name)
		}
	}
	s.release(a, g)
}

// namedHolder expects that a try is refused and names one of the holders that Inspect shows.
func (s *session) namedHolder(b backends.Backend, r backends.Request) backends.Holder {
	s.Helper()
	_, err := backends.TryAcquire(s.ctx, b, r)
	e := s.busyError(err)
	// Inspect comes later: Expires has run on, and nothing else.
	same := func(h backends.Holder) bool {
		return h.ID == e.Holder.ID && h.Owner == e.Holder.Owner && h.Token == e.Holder.Token &&
			h.Weight == e.Holder.Weight && h.Since.Equal(e.Holder.Since)
	}
	if state := s.inspect(r.Name); e.Name != r.Name || !slices.ContainsFunc(state.Holders, same) {
		s.Errorf("the try of %q names %+v of %q; want one of %+v", r.Name, e.Holder, e.Name, state.Holders)
	}
	return e.Holder
}

func (s *session) busyError(err error) *backends.BusyError {
	s.Helper()
	var e *backends.BusyError
	if !errors.As(err, &e) || !errors.Is(err, backends.ErrBusy) {
		s.Fatalf("a try of what is held: %v; want a *BusyError", err)
	}
	return e
}
