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
	b := s.open()
	g := s.acquire(s.b, s.short(s.mutex()))
	h := s.follow(b, s.mutex()).granted()
	if now := time.Now(); !now.After(g.ValidUntil) {
		s.Errorf("granted to the next %v before ValidUntil of the holder", g.ValidUntil.Sub(now))
	}
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
}

func renewalProlongs(s *session) {
	b := s.open()
	for ttl := s.env.TTL; !s.prolongs(b, ttl); ttl *= 2 {
		s.Logf("this machine stood still for longer than %v", ttl)
	}
}

// prolongs renews a grant three times. It reports false if a renewal came too late to prove
// anything.
func (s *session) prolongs(b backends.Backend, ttl time.Duration) bool {
	r := s.mutex()
	r.TTL = ttl
	g := s.acquire(s.b, r)
	w := s.follow(b, s.mutex())
	until := g.ValidUntil
	for range 3 {
		timer := time.NewTimer(ttl / 4) // part of the case: renewals come some time after each other
		<-timer.C
		a := s.renew(s.b, backends.Renewal{Grant: g, TTL: ttl})
		answered := time.Now()
		if errors.Is(a.Err, backends.ErrLost) && answered.After(until) {
			s.release(b, w.granted())
			return false
		}
		if a.Err != nil || a.ValidUntil.Before(until) || a.ValidUntil.After(answered.Add(ttl)) {
			s.Fatalf("Renew, answered at %v: %+v; valid before until %v", answered, a, until)
		}
		until = a.ValidUntil
	}
	h := w.granted()
	if now := time.Now(); !now.After(until) {
		s.Errorf("granted to the next %v before ValidUntil of the renewed grant", until.Sub(now))
	}
	s.release(b, h)
	return true
}

func lateRenewal(s *session) {
	b := s.open()
	g := s.acquire(s.b, s.short(s.mutex()))
	h := s.follow(b, s.mutex()).granted()
	if a := s.renew(s.b, backends.Renewal{Grant: g, TTL: long, Tokens: 1}); !errors.Is(a.Err, backends.ErrLost) {
		s.Errorf("Renew of an expired grant: %+v; want ErrLost", a)
	}
	if err := backends.Release(s.ctx, s.b, g); !errors.Is(err, backends.ErrLost) {
		s.Errorf("Release of an expired grant: %v; want ErrLost", err)
	}
	s.busy(s.b, s.mutex())
	s.release(b, h)
}

func validFromBefore(s *session) {
	// A slow machine may stand still between the clock readings of the test and of the store, but
	// not every time.
	const most = 20
	for late := 0; ; {
		before := time.Now()
		r := s.short(s.mutex())
		g := s.acquire(s.b, r)
		if err := backends.Release(s.ctx, s.b, g); err != nil && !errors.Is(err, backends.ErrLost) {
			s.Fatalf("Release: %v", err)
		}
		if !g.ValidUntil.After(before.Add(r.TTL)) {
			break
		}
		if late++; late == most {
			s.Fatalf("ValidUntil was later than the start of the call plus the TTL in all of %d calls; in the last by %v",
				most, g.ValidUntil.Sub(before)-r.TTL)
		}
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
