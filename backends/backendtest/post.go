package backendtest

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

var post = []Clause{
	{
		Name:  "Post/Grants",
		Text:  "a request that is posted is granted at once or when its turn comes, in the order in which requests were sent",
		needs: posting,
		check: postGrants,
	},
	{
		Name:  "Post/ReleasesFirst",
		Text:  "a request posted after a grant releases it in the same step, and stands behind all who waited then",
		needs: posting,
		check: postReleasesFirst,
	},
	{
		Name:  "Post/AfterAlone",
		Text:  "a request posted after a grant that nobody waits for is granted at once, as a new grant with a larger token",
		needs: posting,
		check: postAlone,
	},
	{
		Name:  "Post/AfterEnded",
		Text:  "a request posted after a grant that has ended is made all the same, the release says ErrLost, and the successor is untouched",
		needs: posting,
		check: postAfterEnded,
	},
	{
		Name:  "Post/Cancel",
		Text:  "a posted request that is cancelled is told so once, and nothing of it is left, however far it has come",
		needs: posting,
		check: postCancel,
	},
	{
		Name:  "Post/CancelReleases",
		Text:  "the cancellation of a posted request does not keep the grant before it from being released, even if it comes before Send",
		needs: posting,
		check: postCancelReleases,
	},
	{
		Name:  "Post/CancelRacesGrant",
		Text:  "a cancellation of a posted request that races its grant ends in exactly one of the two",
		needs: posting,
		check: postCancelRacesGrant,
	},
	{
		Name:  "Post/EndedContext",
		Text:  "a request that is sent with a context already done is not granted",
		needs: posting,
		check: postEndedContext,
	},
	{
		Name:  "Post/Refused",
		Text:  "a posted request that cannot be is told why, like an Acquire",
		needs: posting,
		check: postRefused,
	},
}

// posting says whether the store can be posted to.
func posting(s *session) string {
	if _, ok := s.b.(backends.Poster); !ok {
		return "a store that is no Poster"
	}
	return ""
}

// mail is a request that was posted.
type mail struct {
	backends.Posted
	s        *session
	released chan error // with room for what must not be told
	answered chan outcome
}

type outcome struct {
	grant backends.Grant
	err   error
}

// post posts a request, without sending it.
func (s *session) post(b backends.Backend, r backends.Request, after *backends.Grant) *mail {
	m := &mail{s: s, released: make(chan error, 4), answered: make(chan outcome, 4)}
	m.Posted = b.(backends.Poster).Post(backends.Post{
		Request: r, After: after,
		Released: func(err error) { m.released <- err },
		Answered: func(g backends.Grant, err error) { m.answered <- outcome{g, err} },
	})
	return m
}

// send posts a request and sends it.
func (s *session) send(b backends.Backend, r backends.Request, after *backends.Grant) *mail {
	m := s.post(b, r, after)
	m.Send(s.ctx)
	return m
}

func (m *mail) granted() backends.Grant {
	m.s.Helper()
	o := m.answer()
	if o.err != nil {
		m.s.Fatalf("a posted request failed: %v; want a grant", o.err)
	}
	return o.grant
}

func (m *mail) failed(want error) {
	m.s.Helper()
	if o := m.answer(); !errors.Is(o.err, want) || o.grant != (backends.Grant{}) {
		m.s.Fatalf("a posted request was told %+v, %v; want %v", o.grant, o.err, want)
	}
}

func (m *mail) answer() outcome {
	m.s.Helper()
	select {
	case o := <-m.answered:
		return o
	case <-m.s.ctx.Done():
		m.s.Fatalf("a posted request was told nothing; state: %s", m.s.describe())
		return outcome{}
	}
}

// freed expects that the release was told.
func (m *mail) freed(want error) {
	m.s.Helper()
	select {
	case err := <-m.released:
		if !errors.Is(err, want) {
			m.s.Fatalf("the release was told %v; want %v", err, want)
		}
	case <-m.s.ctx.Done():
		m.s.Fatal("what became of the release was not told")
	}
}

// silent expects that nothing more was told.
func (m *mail) silent() {
	m.s.Helper()
	select {
	case err := <-m.released:
		m.s.Errorf("a release was told twice, or although there was none: %v", err)
	case o := <-m.answered:
		m.s.Errorf("a posted request was told more than its outcome: %+v, %v", o.grant, o.err)
	default:
	}
}

func postGrants(s *session) {
	a, b := s.b, s.open()
	m := s.send(a, s.mutex(), nil)
	g := m.granted()
	s.complete(g, s.mutex())
	first := s.send(b, s.mutex(), nil)
	s.waits(1)
	second := s.queue(a, s.mutex())
	third := s.send(a, s.mutex(), nil)
	s.waits(3)
	s.busy(b, s.mutex())
	s.release(a, g)
	h := first.granted()
	s.release(b, h)
	k := second.granted()
	s.release(a, k)
	l := third.granted()
	if !(g.Token < h.Token && h.Token < k.Token && k.Token < l.Token) {
		s.Errorf("tokens %d, %d, %d, %d; want them to increase", g.Token, h.Token, k.Token, l.Token)
	}
	s.release(a, l)
	for _, m := range []*mail{m, first, third} {
		m.silent()
	}
}

func postReleasesFirst(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	w := s.queue(b, s.mutex())
	m := s.send(a, s.mutex(), &g)
	m.freed(nil)
	h := w.granted()
	s.waits(1)
	next := s.send(b, s.mutex(), &h)
	next.freed(nil)
	k := m.granted()
	if k.ID == g.ID || k.Token <= h.Token {
		s.Errorf("the grant %+v after %+v and %+v; want a new one", k, g, h)
	}
	s.release(a, k)
	s.release(b, next.granted())
	s.unused(s.name)
	m.silent()
	next.silent()
}

func postAlone(s *session) {
	g := s.acquire(s.b, s.mutex())
	for range 5 {
		m := s.send(s.b, s.mutex(), &g)
		m.freed(nil)
		h := m.granted()
		if h.ID == g.ID || h.Token <= g.Token {
			s.Errorf("the grant %+v after %+v; want a new one", h, g)
		}
		m.silent()
		g = h
	}
	s.release(s.b, g)
	s.unused(s.name)
}

func postAfterEnded(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	s.release(a, g)
	made := g
	made.ID.Seq += 1000 // unlike the last one that was released, the store cannot take it for one that it knows
	h := s.acquire(b, s.mutex())
	m := s.send(a, s.mutex(), &made)
	m.freed(backends.ErrLost)
	s.waits(1)
	s.busy(b, s.mutex())
	s.release(b, h)
	s.release(a, m.granted())
	m.silent()
}

func postCancel(s *session) {
	a, b := s.b, s.open()
	early := s.post(a, s.mutex(), nil)
	early.Cancel()
	early.Send(s.ctx)
	early.failed(context.Canceled)
	s.unused(s.name)

	g := s.acquire(a, s.mutex())
	m := s.send(b, s.mutex(), nil)
	s.waits(1)
	m.Cancel()
	m.Cancel()
	m.failed(context.Canceled)
	s.waits(0)
	s.release(a, g)

	late := s.send(b, s.mutex(), nil)
	h := late.granted()
	late.Cancel() // it has been answered, and is left alone
	s.busy(a, s.mutex())
	s.release(b, h)
	s.unused(s.name)
	for _, m := range []*mail{early, m, late} {
		m.silent()
	}
}

func postCancelReleases(s *session) {
	for _, sent := range []bool{false, true} {
		g := s.acquire(s.b, s.mutex())
		w := s.queue(s.open(), s.mutex())
		m := s.post(s.b, s.mutex(), &g)
		if sent {
			m.Send(s.ctx)
			m.Cancel()
		} else {
			m.Cancel()
			m.Send(s.ctx)
		}
		m.freed(nil)
		m.failed(context.Canceled)
		w.granted()
		s.waits(0)
		m.silent()
		s.name += "+" // where it is held no more
	}
}

func postCancelRacesGrant(s *session) {
	a, b := s.b, s.open()
	for range s.env.Rounds {
		g := s.acquire(a, s.mutex())
		m := s.send(b, s.mutex(), nil)
		s.spawned.Go(m.Cancel)
		s.release(a, g)
		if o := m.answer(); o.err == nil {
			s.release(b, o.grant)
		} else if !errors.Is(o.err, context.Canceled) {
			s.Fatalf("a posted request that was cancelled: %v", o.err)
		}
		m.silent()
	}
	s.unused(s.name)
}

func postEndedContext(s *session) {
	done, cancel := context.WithCancel(s.ctx)
	cancel()
	m := s.post(s.b, s.mutex(), nil)
	m.Send(done)
	m.failed(context.Canceled)
	s.unused(s.name)
	m.silent()
}

func postRefused(s *session) {
	g := s.acquire(s.b, s.permits(1, 2))
	m := s.send(s.b, s.permits(1, 3), nil)
	m.failed(backends.ErrMismatch)
	m.silent()
	r := s.permits(1, 2)
	r.Weight = 3
	m = s.send(s.b, r, &g)
	m.freed(nil)
	m.failed(backends.ErrTooLarge)
	m.silent()
	s.unused(s.name)
}
