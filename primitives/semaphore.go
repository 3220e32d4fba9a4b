package primitives

import "context"

// A Semaphore has a number of permits, which are acquired and released in any amounts. It has
// the methods of golang.org/x/sync/semaphore.Weighted, with the same meaning but for
// these: an acquire of more permits than there are fails at once; permits are granted
// strictly in the order of arrival; and the number of permits can change.
//
// A large request is not starved by small ones: while it is first in the queue, nothing
// enters, even if there are permits for others. Make a Semaphore with [NewSemaphore]. The zero
// value has no permits, as NewSemaphore(0): it grants nothing until [Semaphore.Resize]. It must
// not be copied after first use; its methods may be called by any goroutine.
//
// Acquire and Release cost one compare-and-swap each while nothing waits. At rest it
// costs 64 bytes, no goroutine, and needs no Close.
//
// A weight or size of more than 2^60-2 counts as 2^60-2, which no program can tell that
// does not acquire as many in parts.
//
// In the terms of the Go memory model, a Release is synchronized before every Acquire or
// TryAcquire that could not have succeeded without it.
type Semaphore struct {
	_    noCopy
	gate gate
}

// NewSemaphore returns a semaphore with n permits, all of them free. It panics if n < 0.
// With n = 0 every acquire of a permit is refused, with [ErrTooLarge], until [Semaphore.Resize].
func NewSemaphore(n int64) *Semaphore {
	if n < 0 {
		panic("primitives: NewSemaphore with a negative size")
	}
	s := &Semaphore{}
	kept := limit - weight(n)
	s.gate.word.Store(kept)
	s.gate.reserve.Store(kept)
	s.gate.withheld.Store(kept)
	return s
}

// weight is n >= 0 as the gate of a semaphore counts it. A size is less than limit, so every
// semaphore but a zero one keeps a permit of its gate in reserve.
func weight(n int64) uint64 { return min(uint64(n), limit-1) }

// fits reports whether n permits are free and no request is queued, by the word w. Every semaphore
// but a zero one withholds at least one permit of its gate. So the word 0 is that of a zero
// semaphore, where nothing fits, and the fast path needs no further look.
func fits(w uint64, n int64) bool { return uint64(n) <= limit && w-1 < limit-uint64(n) }

// isZero reports whether s is the zero value, whose gate would grant all its permits. The first
// Resize sets queued before it sets the reserve: so a caller that sees the reserve finds the word
// closed, or the permits withheld.
func (s *Semaphore) isZero() bool { return s.gate.reserve.Load() == 0 }

// Acquire takes n permits. If they are not free or there is a queue, it waits at its end.
// An acquire of 0 takes nothing, but waits for its turn.
//
// Nil: the caller has n permits. An error: it has none, and has left the queue. If ctx is done
// Acquire fails, even if the permits are free or are handed over at that moment; they then go
// to the next. [errors.Is] finds ctx.Err() in the error, and its text has the cause of
// ctx. More than the semaphore has: [ErrTooLarge], at once. It panics if n < 0.
//
// Every Release without which it could not have succeeded is synchronized before it.
func (s *Semaphore) Acquire(ctx context.Context, n int64) error {
	if w := s.gate.word.Load(); fits(w, n) && ctx != nil && ctx.Err() == nil &&
		s.gate.word.CompareAndSwap(w, w+uint64(n)) { // model: enter
		return nil
	}
	if n < 0 || s.isZero() {
		return s.acquireNone(ctx, n)
	}
	return s.gate.acquire(ctx, acquiring, weight(n))
}

// acquireNone is an acquire of a negative number of permits, or of the zero value.
//
//go:noinline
func (s *Semaphore) acquireNone(ctx context.Context, n int64) error {
	switch {
	case n < 0:
		panic("primitives: Acquire of a negative number of permits")
	case ctx == nil:
		return errNilContext
	case ctx.Err() != nil:
		return contextError(ctx)
	case n > 0:
		return ErrTooLarge
	}
	return nil
}

// TryAcquire takes n permits if they are free and there is no queue, and reports whether it did.
// It never waits. It panics if n < 0.
//
// One that succeeds is synchronized as an Acquire is; one that fails synchronizes nothing.
func (s *Semaphore) TryAcquire(n int64) bool {
	if w := s.gate.word.Load(); fits(w, n) && s.gate.word.CompareAndSwap(w, w+uint64(n)) { // model: enter
		return true
	}
	if n < 0 {
		panic("primitives: TryAcquire of a negative number of permits")
	}
	return (n == 0 || !s.isZero()) && s.gate.tryAcquire(weight(n))
}

// Release gives n permits back; the first in the queue has them next. It never waits. It
// panics if n < 0 or fewer than n permits are held, and has then changed nothing.
//
// It is synchronized before every Acquire and TryAcquire that could not succeed without it.
func (s *Semaphore) Release(n int64) {
	if uint64(n) <= limit {
		w := s.gate.word.Load()
		// All permits above those withheld are held.
		if w <= limit && w >= s.gate.withheld.Load()+uint64(n) &&
			s.gate.word.CompareAndSwap(w, w-uint64(n)) { // model: leave
			return
		}
	}
	s.releaseSlow(n)
}

func (s *Semaphore) releaseSlow(n int64) {
	if n < 0 {
		panic("primitives: Release of a negative number of permits")
	}
	if !s.gate.release(weight(n)) {
		panic("primitives: Release of more permits than are held")
	}
}

// Resize changes the number of permits to n. It does not wait for holders, and takes nothing
// from them: if more than n permits are held, none is granted until enough are released.
// New permits go to the queue first. A waiter for more than n gets [ErrTooLarge].
// It panics if n < 0.
//
// When Resize returns, every acquire sees the new size. A Resize is synchronized before every
// Acquire and TryAcquire that could not succeed without it. It costs about what a contended
// acquire does, and a look at each waiter.
func (s *Semaphore) Resize(n int64) {
	if n < 0 {
		panic("primitives: Resize to a negative size")
	}
	s.gate.decide(resizing, limit-weight(n))
}

// Size returns the number of permits, as NewSemaphore or the last Resize has set it. A zero
// Semaphore has none.
//
// What Size, InUse and Waiting return may be out of date at once. It is for metrics and logs, not
// for decisions, and synchronizes nothing.
func (s *Semaphore) Size() int64 {
	if s.isZero() {
		return 0
	}
	return int64(limit - s.gate.reserve.Load())
}

// InUse returns how many permits are held, those included that were just handed to a waiter that
// has not run yet. It is more than Size after a Resize to less than is held, until enough is
// released. While nothing waits it costs three loads, else about what a contended acquire does.
func (s *Semaphore) InUse() int64 {
	for {
		kept, w := s.gate.withheld.Load(), s.gate.word.Load()
		if w > limit {
			return s.gate.ask(adding)
		}
		// Without flags no Resize is under way at w, so the permits withheld belong to w if none
		// has come between the looks.
		if s.gate.withheld.Load() == kept && w >= kept {
			return int64(w - kept)
		}
	}
}

// Waiting returns how many acquires stand in the queue. While nothing waits it costs one load, else
// about what a contended acquire does, and a look at each waiter.
func (s *Semaphore) Waiting() int64 {
	if s.gate.word.Load() <= limit {
		return 0
	}
	return s.gate.ask(counting)
}
