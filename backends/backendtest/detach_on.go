package backendtest

import (
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

func goesOn(s *session) {
	a, b, c := s.b, s.open(), s.open()
	g := s.acquire(a, s.mutex())
	w := s.queue(c, s.mutex())
	s.waits(1)
	t := s.detach(a, g)
	s.busy(a, s.mutex())
	s.busy(b, s.mutex())
	s.waits(1)
	h := s.adopt(b, t)
	s.busy(a, s.mutex())
	s.waits(1)
	select {
	case <-w.ended:
		s.Errorf("a third client was granted %+v, %v before the adopter's release", w.grant, w.err)
	default:
	}
	s.release(b, h)
	next := w.granted()
	if next.Token <= g.Token {
		s.Errorf("token %d after %d", next.Token, g.Token)
	}
	s.release(c, next)
	s.unused(s.name)
}

func detachesEveryKind(s *session) {
	a, b := s.b, s.open()
	for _, r := range []backends.Request{s.writer(), s.permits(3, 3)} {
		r.Tokens = 5
		h := s.adopt(b, s.detach(a, s.acquire(a, r)))
		s.busy(a, r)
		s.release(b, h)
		s.unused(s.name)
	}
	for _, r := range []backends.Request{s.reader(), s.permits(1, 3)} {
		first, second, third := s.acquire(a, r), s.acquire(a, r), s.acquire(b, r)
		t := s.detach(a, second)
		whole := r
		whole.Weight = r.Capacity
		s.busy(b, whole)
		h := s.adopt(b, t)
		for _, g := range []backends.Grant{first, third} {
			client := a
			if g.ID == third.ID {
				client = b
			}
			if n := s.renew(client, backends.Renewal{Grant: g, TTL: long}); n.Err != nil {
				s.Errorf("Renew of a grant beside the adopted one: %v", n.Err)
			}
			s.release(client, g)
		}
		s.busy(a, whole)
		s.release(b, h)
		s.release(a, s.try(a, whole))
	}
}

// out expects that the grant is not its old client's any more.
func (s *session) out(b backends.Backend, g backends.Grant) {
	s.Helper()
	if r := s.renew(b, backends.Renewal{Grant: g, TTL: long}); !errors.Is(r.Err, backends.ErrLost) {
		s.Errorf("Renew of a grant that was detached: %+v; want ErrLost", r)
	}
	if err := backends.Release(s.ctx, b, g); !errors.Is(err, backends.ErrLost) {
		s.Errorf("Release of a grant that was detached: %v; want ErrLost", err)
	}
	d := backends.Detachment{Grant: g, Token: g.Token, TTL: long}
	if err := b.Detach(s.ctx, d); !errors.Is(err, backends.ErrLost) {
		s.Errorf("Detach of a grant that was detached: %v; want ErrLost", err)
	}
}

func oldClientIsOut(s *session) {
	a, b := s.open(), s.open()
	r := s.mutex()
	in := newInbox()
	r.Notify = in.notify
	g := s.acquire(a, r)
	t := s.detach(a, g)
	s.out(a, g)
	s.busy(b, s.mutex())
	h := s.adopt(b, t)
	s.out(a, g)
	s.busy(s.b, s.mutex())
	if r := s.renew(b, backends.Renewal{Grant: h, TTL: long}); r.Err != nil {
		s.Errorf("Renew of the adopted grant: %v", r.Err)
	}
	if e, found := in.find(g.ID, backends.Lost); found {
		s.Errorf("the old client was told %+v of a grant that it has detached", e)
	}
	t = s.detach(b, h)
	s.close(a)
	s.close(b)
	s.busy(s.b, s.mutex())
	s.release(s.b, s.adopt(s.b, t))
	s.unused(s.name)
}

func detachKeepsToken(s *session) {
	a, b := s.b, s.open()
	r := s.writer()
	r.Tokens = 10
	g := s.acquire(a, r)
	more := s.renew(a, backends.Renewal{Grant: g, TTL: long, Tokens: 20})
	if more.Err != nil {
		s.Fatalf("Renew: %v", more.Err)
	}
	last := more.Token + 19
	t := ticket{grant: g}
	t.grant.Token = more.Token + 3
	d := backends.Detachment{Grant: g, Token: t.grant.Token, TTL: long, Proof: t.proof}
	if err := a.Detach(s.ctx, d); err != nil {
		s.Fatalf("Detach: %v", err)
	}
	h := s.adopt(b, t)
	n := s.renew(b, backends.Renewal{Grant: h, TTL: long, Tokens: 4})
	if n.Err != nil || n.Token <= last {
		s.Fatalf("Renew by the adopter, after token %d: %+v", last, n)
	}
	s.release(b, h)
	if next := s.try(a, s.reader()); next.Token < n.Token+4 {
		s.Errorf("token %d after %d", next.Token, n.Token+3)
	}
}

func showsDetached(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.permits(2, 3))
	t := s.detach(a, g)
	h := s.inspect(s.name).Holders
	if len(h) != 1 || !h[0].Detached || h[0].Token != g.Token || h[0].Weight != 2 || h[0].Kept != 0 ||
		h[0].Owner.Label != "backendtest" || h[0].Expires <= 0 {
		s.Errorf("holders %+v; want the grant %+v, detached", h, g)
	}
	if s.caps.NamesHolder {
		if h := s.namedHolder(b, s.permits(3, 3)); !h.Detached || h.Token != g.Token {
			s.Errorf("the try names %+v; want the detached grant", h)
		}
	}
	n := s.adopt(b, t)
	h = s.inspect(s.name).Holders
	if len(h) != 1 || h[0].Detached || h[0].ID != n.ID || h[0].Token != g.Token || h[0].Owner != t.adoption().Owner {
		s.Errorf("holders %+v; want the adopted grant %+v", h, n)
	}
	s.release(b, n)
}

func detachesAgain(s *session) {
	a, b := s.b, s.open()
	first := s.detach(a, s.acquire(a, s.mutex()))
	second := s.detach(b, s.adopt(b, first))
	s.refuses(a, first.adoption(), "the first of two tickets")
	mixed := second.adoption()
	mixed.Proof = first.proof
	s.refuses(a, mixed, "the proof of the first ticket")
	h := s.adopt(a, second)
	s.out(b, second.grant)
	s.release(a, h)
	s.unused(s.name)
}

func adopterIsTold(s *session) {
	a, b, c := s.b, s.open(), s.open()
	in := newInbox()
	t := s.detach(a, s.acquire(a, s.mutex()))
	with := t.adoption()
	with.Notify = in.notify
	g := s.adoptWith(b, t, with)
	if g.Contended {
		s.Errorf("the adopted grant %+v is contended; nobody waits", g)
	}
	w := s.queue(c, s.mutex())
	s.event(in, g.ID, backends.Contended)
	g = s.adopt(a, s.detach(b, g))
	if !g.Contended {
		s.Errorf("the adopted grant %+v is not contended; want it so, for another client waits", g)
	}
	s.release(a, g)
	s.release(c, w.granted())
}
