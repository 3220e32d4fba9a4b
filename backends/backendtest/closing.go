package backendtest

import (
	"context"
	"errors"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
)

var closing = []Clause{
	{
		Name:  "Close/ReleasesAndWakes",
		Text:  "Close releases the client's grants and fails its waiting requests with ErrClosed; those of others move up",
		check: closeReleases,
	},
	{
		Name:  "Close/UseAfter",
		Text:  "after Close every method but Close says ErrClosed; Close does nothing again",
		check: useAfterClose,
	},
	{
		Name:  "Close/SparesOthers",
		Text:  "the end of one client touches no grant and no request of another",
		check: closeSparesOthers,
	},
	{
		Name:  "Close/Racing",
		Text:  "Close may race with anything: every waiting request ends, nothing stays held, several Close calls all return",
		check: closeRacing,
	},
	{
		Name:  "Close/NoEventsAfter",
		Text:  "no event arrives after Close has returned",
		check: noEventsAfterClose,
	},
}

func (s *session) close(b backends.Backend) {
	s.Helper()
	if err := b.Close(s.ctx); err != nil {
		s.Fatalf("Close: %v", err)
	}
}

func closeReleases(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(b, s.permits(2, 3))
	mine := s.acquire(a, s.permits(1, 3))
	theirs := s.queue(b, s.permits(3, 3))
	next := s.queue(a, s.permits(2, 3))
	s.close(b)
	theirs.failed(backends.ErrClosed)
	h := next.granted()
	if h.Token <= g.Token {
		s.Errorf("token %d after %d", h.Token, g.Token)
	}
	s.waits(0)
	s.release(a, h)
	s.release(a, mine)
	s.unused(s.name)
}

func useAfterClose(s *session) {
	b := s.open()
	g := s.acquire(b, s.mutex())
	s.close(b)
	s.close(b)
	s.refused(b, s.mutex(), backends.ErrClosed)
	if err := backends.Release(s.ctx, b, g); !errors.Is(err, backends.ErrClosed) {
		s.Errorf("Release: %v; want ErrClosed", err)
	}
	for _, r := range b.Renew(s.ctx, []backends.Renewal{{Grant: g, TTL: long}, {Grant: g, TTL: long}}) {
		if !errors.Is(r.Err, backends.ErrClosed) {
			s.Errorf("Renew: %+v; want ErrClosed", r)
		}
	}
	if _, err := b.Inspect(s.ctx, s.name); !errors.Is(err, backends.ErrClosed) {
		s.Errorf("Inspect: %v; want ErrClosed", err)
	}
	var last error
	for _, err := range b.List(s.ctx) {
		last = err
	}
	if !errors.Is(last, backends.ErrClosed) {
		s.Errorf("List ends with %v; want ErrClosed", last)
	}
	if s.caps.Break {
		if err := b.Break(s.ctx, s.name); !errors.Is(err, backends.ErrClosed) {
			s.Errorf("Break: %v; want ErrClosed", err)
		}
	}
	if b.Capabilities() != s.caps {
		s.Error("the capabilities have changed")
	}
	s.release(s.b, s.try(s.b, s.mutex()))
}

func closeSparesOthers(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	c := s.open()
	gone := s.queue(c, s.mutex())
	w := s.queue(b, s.mutex())
	s.close(c)
	gone.failed(backends.ErrClosed)
	s.waits(1)
	if r := s.renew(a, backends.Renewal{Grant: g, TTL: long}); r.Err != nil {
		s.Errorf("Renew of another client's grant: %v", r.Err)
	}
	s.release(a, g)
	s.release(b, w.granted())
}

func closeRacing(s *session) {
	for range max(1, s.env.Rounds/20) {
		b := s.open()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for {
					r := s.mutex()
					if i%2 == 0 {
						r.Name += "/other"
					}
					g, err := backends.Acquire(s.ctx, b, r)
					if err == nil {
						err = backends.Release(s.ctx, b, g)
					}
					// A grant that Close released is lost to its holder, who may have noticed first.
					if errors.Is(err, backends.ErrClosed) || errors.Is(err, backends.ErrLost) {
						return
					}
					if err != nil {
						s.Errorf("while closing: %v", err)
						return
					}
				}
			})
		}
		held, err := backends.Acquire(s.ctx, b, s.mutex())
		if err != nil {
			s.Fatalf("Acquire: %v", err)
		}
		for range 3 {
			all.Go(func() {
				if err := b.Close(s.ctx); err != nil {
					s.Errorf("Close: %v", err)
				}
			})
		}
		all.Wait()
		if err := backends.Release(context.WithoutCancel(s.ctx), b, held); !errors.Is(err, backends.ErrClosed) {
			s.Errorf("Release after Close: %v; want ErrClosed", err)
		}
		s.listsNothing(s.b)
	}
}

func noEventsAfterClose(s *session) {
	in := newInbox()
	b := s.open()
	r := s.mutex()
	r.Notify = in.notify
	s.acquire(b, r)
	c := s.open()
	w := s.queue(c, s.mutex())
	s.close(b)
	n := in.len()
	g := w.granted()
	again := s.queue(s.b, s.mutex()) // would make the closed client's grant contended
	s.release(c, g)
	s.release(s.b, again.granted())
	if got := in.len(); got != n {
		s.Errorf("%d events after Close; the last is %+v", got-n, in.events[got-1])
	}
}
