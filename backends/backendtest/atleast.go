package backendtest

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var atLeast = []Clause{
	{
		Name:  "AtLeast/StaysTaken",
		Text:  "a release ends a grant with an AtLeast for its holder, and its permits stay taken for everybody; the grant is kept, and is neither renewed nor released again",
		needs: needsAtLeast,
		check: staysTaken,
	},
	{
		Name:  "AtLeast/EndsByItself",
		Text:  "when a kept grant's time is over the queue moves up by itself, in order and not before; a name that nobody waits for is out of use",
		needs: needsAtLeast,
		check: endsByItself,
	},
	{
		Name:  "AtLeast/OutlivesItsClient",
		Text:  "the permits of a grant with an AtLeast stay taken though its client is closed, before its release or after it",
		needs: needsAtLeast,
		check: outlivesClient,
	},
	{
		Name:  "AtLeast/CountsFromTheGrant",
		Text:  "a release after the AtLeast of its grant gives the permits back at once",
		needs: needsAtLeast,
		check: countsFromGrant,
	},
	{
		Name:  "AtLeast/UnusedIsFree",
		Text:  "a cancelled request leaves nothing taken, and neither does a release whose grant has an AtLeast of zero",
		needs: needsAtLeast,
		check: unusedIsFree,
	},
	{
		Name:  "AtLeast/OnlyItsPermits",
		Text:  "only the permits of the kept grant stay taken: others are granted, readers enter beside a kept reader",
		needs: needsAtLeast,
		check: onlyItsPermits,
	},
	{
		Name:  "AtLeast/SeveralNames",
		Text:  "an operation for several names has each of its grants kept",
		needs: needsAtLeast,
		check: keepsSeveral,
	},
	{
		Name:  "AtLeast/Break",
		Text:  "Break frees what a kept grant has taken, and the queue moves up",
		needs: both(needsAtLeast, needsBreak),
		check: breaksKept,
	},
	{
		Name:  "Expiry/KeepsAtLeast",
		Text:  "the permits of a grant with an AtLeast stay taken until then, though its time to live ends before",
		needs: both(needsAtLeast, needsExpiry),
		check: expiresKept,
	},
	{
		Name:  "Crash/KeepsAtLeast",
		Text:  "the permits of a grant with an AtLeast stay taken until then, though its client dies in the middle; then the queue moves up",
		needs: both(needsAtLeast, needsCrash),
		check: crashesKept,
	},
}

func needsAtLeast(s *session) string {
	if !s.caps.AtLeast {
		return "the store cannot keep a name taken after its release"
	}
	return ""
}

// both says what is missing of either.
func both(a, b func(*session) string) func(*session) string {
	return func(s *session) string { return cmp.Or(a(s), b(s)) }
}

// kept makes a request of r whose permits stay taken.
func kept(r backends.Request, d time.Duration) backends.Request {
	r.AtLeast = d
	return r
}

// clear ends what a clause has kept for long, if the store can.
func (s *session) clear() {
	s.Helper()
	if s.caps.Break {
		s.breakAll(s.b)
		s.unused(s.name)
	}
}

func staysTaken(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, kept(s.mutex(), long))
	if g.AtLeast != long {
		s.Errorf("the grant says AtLeast %v; want %v", g.AtLeast, long)
	}
	if h := s.inspect(s.name).Holders; len(h) != 1 || h[0].Kept != 0 {
		s.Errorf("holders %+v; want one that is held", h)
	}
	s.release(a, g)
	s.busy(a, s.mutex())
	s.busy(b, s.mutex())
	if err := backends.Release(s.ctx, a, g); err != nil && !errors.Is(err, backends.ErrLost) {
		s.Errorf("a second release: %v; want nil or ErrLost", err)
	}
	if r := s.renew(a, backends.Renewal{Grant: g, TTL: long}); !errors.Is(r.Err, backends.ErrLost) {
		s.Errorf("Renew of a kept grant: %+v; want ErrLost", r)
	}
	if s.caps.NamesHolder {
		if h := s.namedHolder(b, s.mutex()); h.Kept <= 0 || h.Kept > long {
			s.Errorf("the try names %+v; want the grant, kept for at most %v", h, long)
		}
	}
	w := s.queue(b, s.mutex())
	h := s.inspect(s.name).Holders
	if len(h) != 1 || h[0].Kept <= 0 || h[0].Kept > long || h[0].Token != g.Token || h[0].Owner.Label != "backendtest" {
		s.Errorf("holders %+v; want the grant, kept for at most %v", h, long)
	}
	w.cancel()
	w.failed(context.Canceled)
	s.clear()
}

// aWhile is long enough to be seen on a machine that is not busy.
const aWhile = 200 * time.Millisecond

func endsByItself(s *session) {
	a, b := s.b, s.open()
	before := time.Now()
	g := s.acquire(a, kept(s.mutex(), aWhile))
	first := s.start(b, s.mutex())
	first.queued()
	s.release(a, g)
	second := s.start(a, s.mutex()) // behind the first, unless that was granted before
	h := first.granted()
	if passed := time.Since(before); passed < aWhile {
		s.Errorf("granted to the next %v after the grant before; want %v at least", passed, aWhile)
	}
	s.release(b, h)
	s.release(a, second.granted())

	// A waiter that comes when the grant is kept already, and none at all.
	before = time.Now()
	s.release(a, s.acquire(a, kept(s.mutex(), aWhile)))
	h = s.acquire(b, s.mutex())
	if passed := time.Since(before); passed < aWhile {
		s.Errorf("granted to a late waiter %v after the grant before; want %v at least", passed, aWhile)
	}
	s.release(b, h)
	before = time.Now()
	s.release(a, s.acquire(a, kept(s.mutex(), aWhile)))
	s.unused(s.name)
	if passed := time.Since(before); passed < aWhile {
		s.Errorf("out of use %v after the grant; want %v at least", passed, aWhile)
	}
	if k := s.try(b, s.mutex()); k.Token <= h.Token {
		s.Errorf("token %d after %d", k.Token, h.Token)
	}
}

func outlivesClient(s *session) {
	for _, released := range []bool{true, false} {
		b := s.open()
		g := s.acquire(b, kept(s.permits(1, 2), long))
		if released {
			s.release(b, g)
		}
		s.close(b)
	}
	s.busy(s.b, s.permits(1, 2))
	if h := s.inspect(s.name).Holders; len(h) != 2 || h[0].Kept <= 0 || h[1].Kept <= 0 {
		s.Errorf("holders %+v; want two grants that are kept", h)
	}
	s.clear()
}

func countsFromGrant(s *session) {
	const d = 20 * time.Millisecond
	g := s.acquire(s.b, kept(s.mutex(), d))
	timer := time.NewTimer(2 * d) // part of the case: the hold is longer
	<-timer.C
	s.release(s.b, g)
	s.release(s.b, s.try(s.b, s.mutex()))
}

func unusedIsFree(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, kept(s.mutex(), long))
	w := s.queue(b, kept(s.mutex(), long))
	g.AtLeast = 0
	s.release(a, g)
	g = w.granted()
	g.AtLeast = 0
	w = s.queue(a, kept(s.mutex(), long))
	w.cancel()
	w.failed(context.Canceled)
	s.release(b, g)
	s.unused(s.name)
	s.release(b, s.try(b, s.mutex()))
}

func onlyItsPermits(s *session) {
	a, b := s.b, s.open()
	s.release(a, s.acquire(a, kept(s.permits(2, 3), long)))
	s.release(b, s.try(b, s.permits(1, 3)))
	s.busy(a, s.permits(2, 3))
	s.clear()

	s.name += "/readers"
	s.release(a, s.acquire(a, kept(s.reader(), long)))
	s.release(b, s.try(b, s.reader()))
	s.busy(b, s.writer())
	s.clear()
}

func keepsSeveral(s *session) {
	rs := s.mutexes(s.names(2)...)
	for i := range rs {
		rs[i].AtLeast = long
	}
	s.releaseAll(s.b, s.begin(s.b, nil, rs...).grants()...)
	b := s.open()
	for _, r := range rs {
		s.busy(b, r)
	}
	s.attempt(b, rs...).refused(backends.ErrBusy)
	for _, r := range rs {
		s.name = r.Name
		s.clear()
	}
}

func breaksKept(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, kept(s.mutex(), long))
	s.release(a, g)
	w := s.queue(b, s.mutex())
	s.breakAll(a)
	h := w.granted()
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
	s.release(b, h)
	s.unused(s.name)
}

func expiresKept(s *session) {
	r := kept(s.short(s.mutex()), 2*s.env.TTL)
	s.grantedAfter(r, func(backends.Backend) {})
}

func crashesKept(s *session) {
	r := kept(s.short(s.mutex()), s.env.TTL+aWhile)
	s.grantedAfter(r, func(b backends.Backend) { s.env.Crash(s.TB, b) })
}

// grantedAfter has a client of its own hold r and end, and expects that a waiter is granted, and
// not before r's AtLeast is over.
func (s *session) grantedAfter(r backends.Request, end func(backends.Backend)) {
	s.Helper()
	b := s.env.Open(s.TB)
	defer func() { _ = b.Close(s.ctx) }()
	before := time.Now()
	g := s.acquire(b, r)
	w := s.follow(s.b, s.mutex())
	end(b)
	h := w.granted()
	if passed := time.Since(before); passed < r.AtLeast {
		s.Errorf("granted to the next %v after the grant before; want %v at least", passed, r.AtLeast)
	}
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
	s.release(s.b, h)
}
