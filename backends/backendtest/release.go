package backendtest

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

var release = []Clause{
	{
		Name:  "Release/IsIdempotent",
		Text:  "a second release changes nothing, and returns nil or ErrLost",
		check: releaseIdempotent,
	},
	{
		Name:  "Release/StaleSparesSuccessor",
		Text:  "a release of a grant that has ended does not touch its successor, be it of the same client or of another",
		check: staleRelease,
	},
	{
		Name:  "Release/EndedContext",
		Text:  "a release whose context has ended frees the grant, if need be in the background; it can be repeated",
		check: releaseEndedContext,
	},
	{
		Name:  "Release/MadeUpGrant",
		Text:  "a release of a grant that never was changes nothing and says ErrLost",
		check: madeUpGrant,
	},
}

func releaseIdempotent(s *session) {
	g := s.acquire(s.b, s.permits(1, 2))
	h := s.acquire(s.b, s.permits(1, 2))
	s.release(s.b, g)
	for range 3 {
		if err := backends.Release(s.ctx, s.b, g); err != nil && !errors.Is(err, backends.ErrLost) {
			s.Errorf("a second release: %v; want nil or ErrLost", err)
		}
	}
	// Permits were given back once, not four times.
	k := s.try(s.b, s.permits(1, 2))
	s.busy(s.b, s.permits(1, 2))
	s.release(s.b, h)
	s.release(s.b, k)
}

func staleRelease(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	s.release(a, g)
	for _, next := range []backends.Backend{a, b} {
		h := s.acquire(next, s.mutex())
		if err := backends.Release(s.ctx, a, g); err != nil && !errors.Is(err, backends.ErrLost) {
			s.Errorf("a stale release: %v; want nil or ErrLost", err)
		}
		s.busy(a, s.mutex())
		s.busy(b, s.mutex())
		s.release(next, h)
	}
}

func releaseEndedContext(s *session) {
	done, cancel := context.WithCancel(s.ctx)
	cancel()
	g := s.acquire(s.b, s.mutex())
	err := backends.Release(done, s.b, g)
	if err != nil && !errors.Is(err, backends.ErrUnavailable) {
		s.Errorf("Release with a cancelled context: %v; want nil or ErrUnavailable", err)
	}
	again := backends.Release(s.ctx, s.b, g)
	if again != nil && !errors.Is(again, backends.ErrLost) {
		s.Errorf("the second Release: %v; want nil or ErrLost", again)
	}
	s.unused(s.name)
	s.release(s.b, s.try(s.b, s.mutex()))
}

func madeUpGrant(s *session) {
	g := s.acquire(s.b, s.mutex())
	made := g
	made.ID.Seq += 1000
	if err := backends.Release(s.ctx, s.b, made); !errors.Is(err, backends.ErrLost) {
		s.Errorf("Release of a grant that never was: %v; want ErrLost", err)
	}
	s.busy(s.open(), s.mutex())
	s.release(s.b, g)
}
