package backendtest

import (
	"errors"

	"github.com/lockkeeper/lockkeeper/backends"
)

var exclusion = []Clause{
	{
		Name:  "Exclusion/Mutex",
		Text:  "never more permits are out than the capacity: a mutex has one holder, whichever client it is of",
		check: mutexExcludes,
	},
	{
		Name:  "Exclusion/ReadWrite",
		Text:  "readers hold together; a writer holds alone",
		check: readWriteExcludes,
	},
	{
		Name:  "Exclusion/Semaphore",
		Text:  "the weights of a semaphore's holders never add up to more than its capacity, and all of it can be used",
		check: semaphoreExcludes,
	},
	{
		Name:  "Exclusion/LargestCapacity",
		Text:  "weights are exact up to the largest capacity",
		check: largestCapacity,
	},
	{
		Name:  "Exclusion/NamesAreIndependent",
		Text:  "a resource does not exclude another",
		check: namesIndependent,
	},
	{
		Name:  "Mismatch",
		Text:  "a name in use has one kind and one capacity: another is refused with ErrMismatch that says both, and changes nothing; out of use, the name is free for any",
		check: mismatch,
	},
}

func mutexExcludes(s *session) {
	a, b := s.b, s.open()
	g := s.acquire(a, s.mutex())
	s.busy(a, s.mutex())
	s.busy(b, s.mutex())
	s.release(a, g)
	h := s.try(b, s.mutex())
	s.busy(a, s.mutex())
	s.release(b, h)
	s.unused(s.name)
}

func readWriteExcludes(s *session) {
	a, b := s.b, s.open()
	w := s.acquire(a, s.writer())
	s.busy(b, s.writer())
	s.busy(b, s.reader())
	s.busy(a, s.reader())
	s.release(a, w)
	r1, r2, r3 := s.try(a, s.reader()), s.try(b, s.reader()), s.try(b, s.reader())
	s.busy(a, s.writer())
	s.release(a, r1)
	s.release(b, r2)
	s.busy(b, s.writer())
	s.release(b, r3)
	s.release(b, s.try(b, s.writer()))
}

func semaphoreExcludes(s *session) {
	a, b := s.b, s.open()
	g3 := s.acquire(a, s.permits(3, 5))
	g2 := s.acquire(b, s.permits(2, 5))
	s.busy(a, s.permits(1, 5))
	s.release(b, g2)
	s.busy(b, s.permits(3, 5))
	g1 := s.try(b, s.permits(1, 5))
	g1b := s.try(a, s.permits(1, 5))
	s.busy(a, s.permits(1, 5))
	s.release(a, g3)
	s.release(b, g1)
	s.busy(a, s.permits(5, 5))
	s.release(a, g1b)
	s.release(a, s.try(a, s.permits(5, 5)))
}

func largestCapacity(s *session) {
	const most = backends.MaxCapacity
	g := s.acquire(s.b, s.permits(most-1, most))
	s.busy(s.b, s.permits(2, most))
	h := s.try(s.b, s.permits(1, most))
	s.busy(s.b, s.permits(1, most))
	s.release(s.b, g)
	s.release(s.b, h)
}

func namesIndependent(s *session) {
	other := s.mutex()
	other.Name += "/other"
	g := s.acquire(s.b, s.mutex())
	h := s.try(s.b, other)
	s.release(s.b, g)
	s.busy(s.b, other)
	s.release(s.b, h)
}

func mismatch(s *session) {
	b := s.open()
	g := s.acquire(s.b, s.permits(1, 3))
	for _, wrong := range []backends.Request{s.mutex(), s.reader(), s.permits(1, 4), s.permits(1, 2)} {
		s.refused(b, wrong, backends.ErrMismatch)
		_, err := backends.TryAcquire(s.ctx, b, wrong)
		var typed *backends.MismatchError
		if !errors.As(err, &typed) || typed.Have != g.Resource || typed.Want != wrong.Resource {
			s.Errorf("TryAcquire %s: %v; want a *MismatchError that says both", show(wrong), err)
		}
	}
	h := s.try(b, s.permits(2, 3))
	s.release(b, h)
	s.release(s.b, g)
	s.release(b, s.try(b, s.mutex()))
	s.release(s.b, s.try(s.b, s.permits(1, 4)))
}
