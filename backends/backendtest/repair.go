package backendtest

import (
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

var repair = []Clause{
	{
		Name:  "Break/EndsGrants",
		Text:  "Break ends every grant, whoever holds it: renewals and releases say ErrLost, waiters move up, tokens go on increasing",
		needs: needsBreak,
		check: breakEndsGrants,
	},
	{
		Name:  "Break/TellsHolders",
		Text:  "a holder whose grant was broken gets a Lost event that carries a *LostError, or is told so at its next renewal",
		needs: needsBreak,
		check: breakTells,
	},
	{
		Name:  "Break/Unused",
		Text:  "to break what nobody holds is no error and changes nothing",
		needs: needsBreak,
		check: breakUnused,
	},
	{
		Name: "Break/Unsupported",
		Text: "a store that cannot break says ErrUnsupported, and the grant stays",
		needs: func(s *session) string {
			if s.caps.Break {
				return "the store can break"
			}
			return ""
		},
		check: breakUnsupported,
	},
}

func needsBreak(s *session) string {
	if !s.caps.Break {
		return "the store cannot break"
	}
	return ""
}

func (s *session) breakAll(b backends.Backend) {
	s.Helper()
	if err := b.Break(s.ctx, s.name); err != nil {
		s.Fatalf("Break: %v", err)
	}
}

func breakEndsGrants(s *session) {
	a, b, c := s.b, s.open(), s.open()
	g1, g2 := s.acquire(a, s.reader()), s.acquire(b, s.reader())
	w := s.queue(a, s.writer())
	last := s.queue(b, s.reader())
	s.breakAll(c)
	g := w.granted()
	if g.Token <= g2.Token {
		s.Errorf("token %d after %d", g.Token, g2.Token)
	}
	s.waits(1)
	for i, old := range []backends.Grant{g1, g2} {
		client := []backends.Backend{a, b}[i]
		if r := s.renew(client, backends.Renewal{Grant: old, TTL: long}); !errors.Is(r.Err, backends.ErrLost) {
			s.Errorf("Renew of a broken grant: %+v; want ErrLost", r)
		}
		if err := backends.Release(s.ctx, client, old); !errors.Is(err, backends.ErrLost) {
			s.Errorf("Release of a broken grant: %v; want ErrLost", err)
		}
	}
	s.busy(c, s.reader())
	s.release(a, g)
	s.release(b, last.granted())
	s.unused(s.name)
}

func breakTells(s *session) {
	b := s.open()
	in := newInbox()
	r := s.mutex()
	r.Notify = in.notify
	g := s.acquire(s.b, r)
	s.breakAll(b)
	s.unused(s.name)
	if e, found := in.find(g.ID, backends.Lost); found {
		var lost *backends.LostError
		if !errors.As(e.Err, &lost) || lost.Name != s.name || lost.Token != g.Token || lost.Reason == "" {
			s.Errorf("the event says %+v; want a *LostError of this grant", e)
		}
	}
	if r := s.renew(s.b, backends.Renewal{Grant: g, TTL: long}); !errors.Is(r.Err, backends.ErrLost) {
		s.Errorf("Renew of a broken grant: %+v; want ErrLost", r)
	}
	if h := s.try(b, s.mutex()); h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
}

func breakUnused(s *session) {
	s.breakAll(s.b)
	s.unused(s.name)
	g := s.acquire(s.b, s.mutex())
	s.release(s.b, g)
	s.breakAll(s.b)
	s.unused(s.name)
	if h := s.try(s.b, s.mutex()); h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
}

func breakUnsupported(s *session) {
	g := s.acquire(s.b, s.mutex())
	if err := s.b.Break(s.ctx, s.name); !errors.Is(err, backends.ErrUnsupported) {
		s.Errorf("Break: %v; want ErrUnsupported", err)
	}
	s.busy(s.open(), s.mutex())
	s.release(s.b, g)
}
