package backendtest

import (
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var expiry = []Clause{
	{
		Name:  "Expiry/FreesWhatIsNotRenewed",
		Text:  "a grant that is not renewed ends after its time to live; the next waiter is granted, though nobody releases, and not before the holder's ValidUntil",
		needs: needsExpiry,
		check: expires,
	},
	{
		Name:  "Expiry/RenewalProlongs",
		Text:  "a renewed grant stays, for the new time to live; ValidUntil never goes back",
		needs: needsExpiry,
		check: renewalProlongs,
	},
	{
		Name:  "Expiry/LateRenewalDoesNotRevive",
		Text:  "the renewal or release of an expired grant says ErrLost and does not touch the successor",
		needs: needsExpiry,
		check: lateRenewal,
	},
	{
		Name:  "Expiry/FromBeforeTheRequest",
		Text:  "ValidUntil counts from before the request was sent: it is never later than the start of the call plus the time to live",
		needs: needsExpiry,
		check: validFromBefore,
	},
	{
		Name:  "Expiry/BriefAtFirst",
		Text:  "a grant from the queue that may be brief at first is valid for no less than its MinValid, and ends like any other",
		needs: needsExpiry,
		check: briefAtFirst,
	},
	{
		Name:  "Expiry/Idle",
		Text:  "a resource whose last grant has expired is out of use, and its tokens go on increasing",
		needs: needsExpiry,
		check: expiresIdle,
	},
}

func (s *session) short(r backends.Request) backends.Request {
	r.TTL = s.env.TTL
	return r
}

func expires(s *session) {
	g := s.acquire(s.b, s.short(s.mutex()))
	w := s.queue(s.open(), s.mutex())
	h := w.granted()
	if now := time.Now(); !now.After(g.ValidUntil) {
		s.Errorf("granted to the next %v before ValidUntil of the holder", g.ValidUntil.Sub(now))
	}
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
}

func renewalProlongs(s *session) {
	g := s.acquire(s.b, s.short(s.mutex()))
	w := s.queue(s.open(), s.mutex())
	until := g.ValidUntil
	for range 3 {
		timer := time.NewTimer(s.env.TTL / 4) // part of the case: renewals come some time after each other
		<-timer.C
		sent := time.Now()
		a := s.renew(s.b, backends.Renewal{Grant: g, TTL: s.env.TTL})
		if errors.Is(a.Err, backends.ErrLost) && sent.After(until) {
			s.Skip("this machine stood still for longer than the time to live")
		}
		if a.Err != nil || a.ValidUntil.Before(until) || a.ValidUntil.After(sent.Add(s.env.TTL)) {
			s.Fatalf("Renew at %v = %+v; valid before until %v", sent, a, until)
		}
		until = a.ValidUntil
	}
	w.granted()
	if now := time.Now(); !now.After(until) {
		s.Errorf("granted to the next %v before ValidUntil of the renewed grant", until.Sub(now))
	}
}

func lateRenewal(s *session) {
	b := s.open()
	g := s.acquire(s.b, s.short(s.mutex()))
	h := s.queue(b, s.mutex()).granted()
	if a := s.renew(s.b, backends.Renewal{Grant: g, TTL: long, Tokens: 1}); !errors.Is(a.Err, backends.ErrLost) {
		s.Errorf("Renew of an expired grant: %+v; want ErrLost", a)
	}
	if err := s.b.Release(s.ctx, g); !errors.Is(err, backends.ErrLost) {
		s.Errorf("Release of an expired grant: %v; want ErrLost", err)
	}
	s.busy(s.b, s.mutex())
	s.release(b, h)
}

func validFromBefore(s *session) {
	for range 20 {
		before := time.Now()
		g := s.acquire(s.b, s.short(s.mutex()))
		if g.ValidUntil.After(before.Add(s.env.TTL)) {
			s.Errorf("ValidUntil is %v later than the start of the call; the time to live is %v",
				g.ValidUntil.Sub(before), s.env.TTL)
		}
		s.release(s.b, g)
	}
	// The wait in the queue does not count: validity begins with the grant.
	g := s.acquire(s.b, s.mutex())
	w := s.queue(s.open(), s.short(s.mutex()))
	before := time.Now()
	s.release(s.b, g)
	h := w.granted()
	if h.ValidUntil.Before(before) {
		s.Errorf("a grant from the queue was valid only until %v before its release", before.Sub(h.ValidUntil))
	}
}

func briefAtFirst(s *session) {
	g := s.acquire(s.b, s.mutex())
	r := s.short(s.mutex())
	r.MinValid = s.env.TTL / 4
	w := s.queue(s.open(), r)
	next := s.queue(s.open(), s.mutex())
	before := time.Now()
	s.release(s.b, g)
	h := w.granted()
	if left := h.ValidUntil.Sub(before); left < r.MinValid {
		s.Errorf("valid until %v after the release before it, and handed out later; want at least %v", left, r.MinValid)
	}
	if left := time.Until(h.ValidUntil); left > r.TTL {
		s.Errorf("valid for another %v; the time to live is %v", left, r.TTL)
	}
	next.granted()
	if now := time.Now(); !now.After(h.ValidUntil) {
		s.Errorf("granted to the next %v before ValidUntil of the holder", h.ValidUntil.Sub(now))
	}
}

func expiresIdle(s *session) {
	g := s.acquire(s.b, s.short(s.mutex()))
	s.unused(s.name)
	if now := time.Now(); !now.After(g.ValidUntil) {
		s.Errorf("out of use %v before ValidUntil of its holder", g.ValidUntil.Sub(now))
	}
	s.listsNothing(s.open())
	if h := s.try(s.b, s.mutex()); h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
}
