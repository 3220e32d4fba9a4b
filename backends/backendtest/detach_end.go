package backendtest

import (
	"errors"
	"runtime"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func detachedEnds(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	w := s.queue(b, s.mutex())
	before := time.Now()
	t := s.detachFor(a, g, s.env.TTL)
	h := w.granted()
	if passed := time.Since(before); passed < s.env.TTL {
		s.Errorf("granted to the next %v after the detachment; want %v at least", passed, s.env.TTL)
	}
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
	s.refuses(a, t.adoption(), "a ticket to a grant that has ended")
	s.release(b, h)

	before = time.Now()
	t = s.detachFor(a, s.acquire(a, s.mutex()), s.env.TTL)
	s.unused(s.name)
	if passed := time.Since(before); passed < s.env.TTL {
		s.Errorf("out of use %v after the detachment; want %v at least", passed, s.env.TTL)
	}
	s.refuses(b, t.adoption(), "a ticket to a grant that has ended")
	s.release(b, s.try(b, s.mutex()))
}

func detachedAtLeast(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, kept(s.mutex(), long))
	s.release(b, s.adopt(b, s.detach(a, g)))
	s.busy(a, s.mutex())
	h := s.inspect(s.name).Holders
	if len(h) != 1 || h[0].Kept <= 0 || h[0].Kept > long {
		s.Errorf("holders %+v; want one that is kept for at most %v", h, long)
	}
	s.clear()

	s.name += "/late"
	before := time.Now()
	t := s.detachFor(a, s.acquire(a, kept(s.mutex(), long)), s.env.TTL)
	for h = s.inspect(s.name).Holders; len(h) == 1 && h[0].Detached; h = s.inspect(s.name).Holders {
		if h[0].Expires > long/2 || s.ctx.Err() != nil {
			s.Fatalf("holders %+v after %v; want none to be adopted after %v", h, time.Since(before), s.env.TTL)
		}
		runtime.Gosched()
	}
	if passed := time.Since(before); passed < s.env.TTL || len(h) != 1 || h[0].Kept <= 0 {
		s.Errorf("holders %+v after %v; want one that is kept, after %v", h, passed, s.env.TTL)
	}
	s.refuses(b, t.adoption(), "a ticket whose time is over, of a grant whose permits stay taken")
	s.clear()

	s.name += "/short"
	before = time.Now()
	g = s.acquire(a, kept(s.mutex(), s.env.TTL+aWhile))
	s.detachFor(a, g, backends.MinTTL) // never adopted
	w := s.start(b, s.mutex())
	h2 := w.granted()
	if passed := time.Since(before); passed < s.env.TTL+aWhile {
		s.Errorf("granted to the next %v after the grant; want %v at least", passed, s.env.TTL+aWhile)
	}
	s.release(b, h2)
}

func breaksDetached(s *session) {
	a, b := s.b, s.open()
	t := s.detach(a, s.acquire(a, s.mutex()))
	w := s.queue(b, s.mutex())
	s.breakAll(a)
	h := w.granted()
	s.refuses(a, t.adoption(), "a ticket to a broken grant")
	s.release(b, h)
	s.unused(s.name)
}

func adoptedExpires(s *session) {
	a, b := s.b, s.open()
	t := s.detach(a, s.acquire(a, s.mutex()))
	with := t.adoption()
	with.TTL = s.env.TTL
	before := time.Now()
	g := s.adoptWith(b, t, with)
	if limit := time.Now().Add(with.TTL); g.ValidUntil.After(limit) || g.ValidUntil.Before(before) {
		s.Errorf("adopted from %v on, and valid until %v", before, g.ValidUntil)
	}
	if h := s.inspect(s.name).Holders; len(h) == 1 && h[0].Expires > long/2 {
		s.Errorf("holders %+v; want one for %v, not for as long as it was detached", h, with.TTL)
	}
	n := s.renew(b, backends.Renewal{Grant: g, TTL: long})
	if errors.Is(n.Err, backends.ErrLost) && time.Now().After(g.ValidUntil) {
		return // this machine stood still
	}
	if n.Err != nil || !n.ValidUntil.After(g.ValidUntil) {
		s.Fatalf("Renew of an adopted grant: %+v", n)
	}
	s.release(b, g)

	t = s.detachFor(a, s.acquire(a, s.short(s.mutex())), long/4)
	g = s.adopt(b, t) // for long
	if h := s.inspect(s.name).Holders; len(h) != 1 || h[0].Expires < long/2 {
		s.Errorf("holders %+v; want one for %v, not for what was left to adopt it in", h, long)
	}
	s.release(b, g)

	t = s.detachFor(a, s.acquire(a, s.short(s.mutex())), s.env.TTL)
	with = t.adoption()
	with.TTL = s.env.TTL
	g, err := b.Adopt(s.ctx, with)
	if errors.Is(err, backends.ErrTicket) {
		return // the same
	}
	if err != nil {
		s.Fatalf("Adopt: %v", err)
	}
	w := s.follow(a, s.mutex())
	h := w.granted()
	if now := time.Now(); !now.After(g.ValidUntil) {
		s.Errorf("granted to the next %v before ValidUntil of the adopter", g.ValidUntil.Sub(now))
	}
	s.release(a, h)
}

func crashSparesDetached(s *session) {
	for _, adopted := range []bool{false, true} {
		b := s.env.Open(s.TB)
		t := s.detach(b, s.acquire(b, s.mutex()))
		var g backends.Grant
		if adopted {
			g = s.adopt(s.b, t)
		}
		s.env.Crash(s.TB, b)
		_ = b.Close(s.ctx)
		s.busy(s.b, s.mutex())
		if !adopted {
			g = s.adopt(s.b, t)
		}
		s.release(s.b, g)
		s.unused(s.name)
	}
}
