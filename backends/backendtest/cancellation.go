package backendtest

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

var cancellation = []Clause{
	{
		Name:  "Cancel/LeavesNothing",
		Text:  "a cancelled Acquire fails with its context's error; nothing is held and nothing is left in the queue",
		check: cancelLeavesNothing,
	},
	{
		Name:  "Cancel/Deadline",
		Text:  "a deadline ends an Acquire like a cancellation, with context.DeadlineExceeded",
		check: cancelDeadline,
	},
	{
		Name:  "Cancel/HeadLetsNextIn",
		Text:  "when the head of the queue gives up, those behind it that fit are granted, although nothing was released",
		check: cancelHead,
	},
	{
		Name:  "Cancel/MiddleKeepsOrder",
		Text:  "a waiter that gives up in the middle changes nothing for the others",
		check: cancelMiddle,
	},
	{
		Name:  "Cancel/RacesGrant",
		Text:  "a cancellation that races a grant ends in exactly one of the two: a grant, or an error with nothing held",
		check: cancelRacesGrant,
	},
	{
		Name:  "Cancel/Many",
		Text:  "any number of cancelled requests leaves nothing behind",
		check: cancelMany,
	},
}

func cancelLeavesNothing(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	w := s.queue(b, s.mutex())
	w.cancel()
	w.failed(context.Canceled)
	s.waits(0)
	s.release(a, g)
	s.unused(s.name)
	s.release(b, s.try(b, s.mutex()))
}

func cancelDeadline(s *session) {
	g, b := s.acquire(s.b, s.mutex()), s.open()
	// A deadline that passes before the request is queued proves little: try again with a later
	// one.
	for d, queued := 20*time.Millisecond, false; !queued; d *= 2 {
		ctx, cancel := context.WithTimeout(s.ctx, d)
		w := s.startWith(ctx, b, s.mutex())
		queued = w.queued()
		w.failed(context.DeadlineExceeded)
		cancel()
		s.waits(0)
	}
	s.release(s.b, g)
	s.unused(s.name)
}

func cancelHead(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.permits(2, 4))
	heavy := s.queue(b, s.permits(3, 4))
	light1, light2, heavy2 := s.queue(b, s.permits(1, 4)), s.queue(a, s.permits(1, 4)), s.queue(b, s.permits(1, 4))
	heavy.cancel()
	heavy.failed(context.Canceled)
	g1, g2 := light1.granted(), light2.granted()
	s.waits(1)
	s.release(b, g1)
	s.release(b, heavy2.granted())
	s.release(a, g2)
	s.release(a, g)
	s.unused(s.name)
}

func cancelMiddle(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	first, middle, last := s.queue(b, s.mutex()), s.queue(a, s.mutex()), s.queue(b, s.mutex())
	middle.cancel()
	middle.failed(context.Canceled)
	s.waits(2)
	s.release(a, g)
	g = first.granted()
	s.waits(1)
	s.release(b, g)
	s.release(b, last.granted())
}

func cancelRacesGrant(s *session) {
	a, b, c := s.b, s.open(), s.open()
	grants := 0
	for i := range s.env.Rounds {
		g := s.acquire(a, s.mutex())
		w := s.queue(b, s.mutex())
		next := s.start(c, s.mutex())
		released := make(chan error, 1)
		s.spawned.Go(func() { released <- backends.Release(s.ctx, a, g) })
		for range i % 50 {
			runtime.Gosched() // so that the two meet at all distances
		}
		w.cancel()
		if err := <-released; err != nil {
			s.Fatalf("Release: %v", err)
		}
		w.wait()
		switch {
		case w.err == nil:
			grants++
			s.release(b, w.grant)
		case !errors.Is(w.err, context.Canceled):
			s.Fatalf("Acquire: %v; want a grant or context.Canceled", w.err)
		}
		s.release(c, next.granted()) // would wait for ever if the other one had kept the resource
	}
	s.unused(s.name)
	s.Logf("%d of %d rounds ended with a grant", grants, s.env.Rounds)
}

func cancelMany(s *session) {
	b := s.open()
	g := s.acquire(s.b, s.mutex())
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	n := s.env.Rounds
	ended := make(chan error, n)
	for range n {
		s.spawned.Go(func() {
			_, err := backends.Acquire(ctx, b, s.mutex())
			ended <- err
		})
	}
	s.waitQueued(s.name, n)
	cancel()
	for range n {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			s.Errorf("Acquire: %v; want context.Canceled", err)
		}
	}
	s.waits(0)
	s.release(s.b, g)
	s.unused(s.name)
	s.release(b, s.try(b, s.permits(2, 2)))
}
