package primitives

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestPermitsAreNeverExceeded(t *testing.T) {
	const size = 10
	s := NewSemaphore(size)
	var held atomic.Int64
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			for range rounds(50_000) {
				n := rand.Int64N(size) + 1
				if !s.TryAcquire(n) {
					if err := s.Acquire(t.Context(), n); err != nil {
						t.Error(err)
					}
				}
				if h := held.Add(n); h > size {
					t.Errorf("%d permits are held, of %d", h, size)
				}
				held.Add(-n)
				s.Release(n)
			}
		})
	}
	wg.Wait()
	atRest(t, &s.gate)
}

func TestTryAcquireTakesWhatIsFree(t *testing.T) {
	s := NewSemaphore(2)
	for i, want := range []bool{true, true, false} {
		if got := s.TryAcquire(1); got != want {
			t.Errorf("try %d: %v, want %v", i, got, want)
		}
	}
	s.Release(2)
	for n, want := range map[int64]bool{0: true, 2: true, 3: false} {
		if got := s.TryAcquire(n); got != want {
			t.Errorf("try of %d permits of 2: %v, want %v", n, got, want)
		}
		if want {
			s.Release(n)
		}
	}
	atRest(t, &s.gate)
}

// acquired starts an acquire in a bubble, and returns its result as soon as it has one.
func acquired(ctx context.Context, s *Semaphore, n int64) <-chan error {
	result := make(chan error, 1)
	go func() { result <- s.Acquire(ctx, n) }()
	synctest.Wait()
	return result
}

// settled is what came of an acquire: its error, or "waiting".
func settled(result <-chan error) any {
	synctest.Wait()
	select {
	case err := <-result:
		return err
	default:
		return "waiting"
	}
}

func TestALargeRequestIsNotStarvedBySmallOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(10)
		_ = s.Acquire(t.Context(), 5)
		large := acquired(t.Context(), s, 10)
		small := acquired(t.Context(), s, 1)
		if s.TryAcquire(1) {
			t.Error("TryAcquire overtook the large request")
		}
		if got := settled(small); got != "waiting" {
			t.Errorf("the small request behind the large one: %v", got)
		}
		s.Release(5)
		if got := settled(large); got != nil {
			t.Errorf("the large request, everything free: %v", got)
		}
		s.Release(10)
		if got := settled(small); got != nil {
			t.Errorf("the small request, everything free: %v", got)
		}
		s.Release(1)
		atRest(t, &s.gate)
	})
}

func TestACancelledFrontWaiterLetsTheNextOnesIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(10)
		_ = s.Acquire(t.Context(), 1)
		ctx, cancel := context.WithCancel(t.Context())
		front := acquired(ctx, s, 10)
		second := acquired(t.Context(), s, 4)
		third := acquired(t.Context(), s, 5)
		fourth := acquired(t.Context(), s, 1)
		cancel()
		if got := settled(front); got != context.Canceled { //nolint:errorlint // the very value
			t.Errorf("the front waiter: %v", got)
		}
		if got, got2 := settled(second), settled(third); got != nil || got2 != nil {
			t.Errorf("those behind it: %v, %v", got, got2)
		}
		if got := settled(fourth); got != "waiting" {
			t.Errorf("one for whom nothing was left: %v", got)
		}
		s.Release(1)
		if got := settled(fourth); got != nil {
			t.Errorf("then something was: %v", got)
		}
		s.Release(10)
		atRest(t, &s.gate)
	})
}

func TestMoreThanTheCapacityIsRefusedAtOnce(t *testing.T) {
	s := NewSemaphore(2)
	if err := s.Acquire(t.Context(), 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Acquire of 3 permits of 2: %v", err)
	}
	if err := s.Acquire(t.Context(), math.MaxInt64); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Acquire of MaxInt64 permits of 2: %v", err)
	}
	if s.TryAcquire(3) || s.TryAcquire(math.MaxInt64) {
		t.Error("TryAcquire got more permits than there are")
	}
	none := NewSemaphore(0)
	if err := none.Acquire(t.Context(), 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Acquire of 1 permit of none: %v", err)
	}
	if err := none.Acquire(t.Context(), 0); err != nil {
		t.Errorf("Acquire of no permit of none: %v", err)
	}
	atRest(t, &s.gate)
}

func TestTheLargestSemaphoreCanBeTakenWhole(t *testing.T) {
	s := NewSemaphore(math.MaxInt64)
	for range 3 {
		if err := s.Acquire(t.Context(), math.MaxInt64); err != nil {
			t.Fatal(err)
		}
		if s.TryAcquire(1) {
			t.Fatal("a permit is free, though all are taken")
		}
		s.Release(math.MaxInt64)
		if !s.TryAcquire(1) || s.TryAcquire(math.MaxInt64) {
			t.Fatal("one permit is taken: neither none nor all can be free")
		}
		s.Release(1)
	}
	atRest(t, &s.gate)
}

func TestAnAcquireOfNothingWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(1)
		_ = s.Acquire(t.Context(), 1)
		if err := s.Acquire(t.Context(), 0); err != nil {
			t.Errorf("nobody is queued: %v", err)
		}
		first := acquired(t.Context(), s, 1)
		nothing := acquired(t.Context(), s, 0)
		if got := settled(nothing); got != "waiting" {
			t.Errorf("behind another: %v", got)
		}
		s.Release(1)
		if got, got2 := settled(first), settled(nothing); got != nil || got2 != nil {
			t.Errorf("released: %v, %v", got, got2)
		}
		s.Release(1)
		s.Release(0)
		atRest(t, &s.gate)
	})
}

func TestMisuseOfASemaphorePanicsAndChangesNothing(t *testing.T) {
	s := NewSemaphore(3)
	_ = s.Acquire(t.Context(), 2)
	for _, misuse := range []struct {
		want string
		call func()
	}{
		{"Release of more permits than are held", func() { s.Release(3) }},
		{"Release of more permits than are held", func() { s.Release(math.MaxInt64) }},
		{"Release of a negative number of permits", func() { s.Release(-1) }},
		{"Acquire of a negative number of permits", func() { _ = s.Acquire(t.Context(), -1) }},
		{"Acquire of a negative number of permits", func() { _ = s.Acquire(done(), math.MinInt64) }},
		{"TryAcquire of a negative number of permits", func() { s.TryAcquire(-1) }},
		{"Resize to a negative size", func() { s.Resize(-1) }},
		{"NewSemaphore with a negative size", func() { NewSemaphore(-1) }},
	} {
		if got := panics(misuse.call); got != "primitives: "+misuse.want {
			t.Errorf("want a panic with %q, got %q", misuse.want, got)
		}
	}
	if !s.TryAcquire(1) || s.TryAcquire(1) {
		t.Error("two were held before, and two must be after")
	}
	s.Release(3)
	atRest(t, &s.gate)
}

func TestMisuseIsSeenWhileSomebodyIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(3)
		_ = s.Acquire(t.Context(), 1)
		waiter := acquired(t.Context(), s, 3)
		if got := panics(func() { s.Release(2) }); !strings.Contains(got, "than are held") {
			t.Errorf("Release of 2 with 1 held: panic %q", got)
		}
		if got := settled(waiter); got != "waiting" {
			t.Errorf("the waiter: %v", got)
		}
		s.Release(1)
		if got := settled(waiter); got != nil {
			t.Errorf("the waiter: %v", got)
		}
		s.Release(3)
		atRest(t, &s.gate)
	})
}

func TestGrowingServesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(1)
		_ = s.Acquire(t.Context(), 1)
		first := acquired(t.Context(), s, 1)
		second := acquired(t.Context(), s, 1)
		s.Resize(2)
		if got, got2 := settled(first), settled(second); got != nil || got2 != "waiting" {
			t.Errorf("one more permit: %v, %v", got, got2)
		}
		s.Resize(5)
		if got := settled(second); got != nil {
			t.Errorf("three more: %v", got)
		}
		if !s.TryAcquire(2) || s.TryAcquire(1) {
			t.Error("of 5 permits 3 were held, so 2 and no more can be had")
		}
		s.Release(5)
		atRest(t, &s.gate)
	})
}

func TestShrinkingTakesNothingFromHolders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(10)
		_ = s.Acquire(t.Context(), 8)
		large := acquired(t.Context(), s, 6)
		small := acquired(t.Context(), s, 3)
		s.Resize(5)
		if got := settled(large); got != ErrTooLarge { //nolint:errorlint // the very value
			t.Errorf("one who waits for 6 of 5: %v", got)
		}
		if got := settled(small); got != "waiting" {
			t.Errorf("one who waits for 3 of 5, 8 held: %v", got)
		}
		s.Release(5)
		if got := settled(small); got != "waiting" {
			t.Errorf("3 of 5 held, so 2 are free for one who wants 3: %v", got)
		}
		s.Release(1)
		if got := settled(small); got != nil {
			t.Errorf("2 of 5 held: %v", got)
		}
		if s.TryAcquire(1) {
			t.Error("5 of 5 are held, but there is one more")
		}
		s.Release(5)
		if !s.TryAcquire(5) || s.TryAcquire(1) {
			t.Error("after the shrink there are not exactly 5 permits")
		}
		s.Release(5)
		atRest(t, &s.gate)
	})
}

func TestAShrinkIsNotForgottenWithoutWaiters(t *testing.T) {
	s := NewSemaphore(10)
	_ = s.Acquire(t.Context(), 8)
	s.Resize(5)
	s.Resize(4)
	s.Release(3)
	if s.TryAcquire(1) {
		t.Fatal("5 of 4 are held, but there is one more")
	}
	s.Release(2)
	if !s.TryAcquire(1) || s.TryAcquire(1) {
		t.Fatal("3 of 4 were held, so 1 and no more can be had")
	}
	s.Release(4)
	s.Resize(0)
	s.Resize(7)
	if !s.TryAcquire(7) || s.TryAcquire(1) {
		t.Fatal("there are not exactly 7 permits")
	}
	s.Release(7)
	atRest(t, &s.gate)
}

func TestResizeAmongAcquiresConservesPermits(t *testing.T) {
	s := NewSemaphore(8)
	var wg sync.WaitGroup
	var stop atomic.Bool
	wg.Go(func() {
		for range rounds(20_000) {
			s.Resize(rand.Int64N(8) + 1)
		}
		s.Resize(8)
		stop.Store(true)
	})
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				n := rand.Int64N(8) + 1
				err := s.Acquire(t.Context(), n)
				switch {
				case err == nil:
					s.Release(n)
				case !errors.Is(err, ErrTooLarge):
					t.Error(err)
				}
				if s.TryAcquire(1) {
					s.Release(1)
				}
			}
		})
	}
	wg.Wait()
	atRest(t, &s.gate)
	if !s.TryAcquire(8) || s.TryAcquire(1) {
		t.Error("there are not exactly 8 permits")
	}
}

func TestAZeroSemaphoreGrantsNothingUntilItIsResized(t *testing.T) {
	var s Semaphore
	if s.TryAcquire(1) {
		t.Error("TryAcquire got a permit of a zero Semaphore")
	}
	if err := s.Acquire(t.Context(), 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Acquire: %v", err)
	}
	s.Resize(2)
	if err := s.Acquire(t.Context(), 2); err != nil || s.TryAcquire(1) {
		t.Errorf("Acquire of both permits: %v; or TryAcquire got a third", err)
	}
	s.Release(2)
	s.Resize(0)
	if s.TryAcquire(1) {
		t.Error("TryAcquire got a permit after a Resize to 0")
	}
	atRest(t, &s.gate)
}

// At no moment of its first Resize does a zero semaphore grant more permits than its new size.
func TestTheFirstResizeOfAZeroSemaphoreLetsNobodySlipIn(t *testing.T) {
	for range rounds(20_000) {
		var s Semaphore
		var held atomic.Int64
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				for range 20 {
					ok := s.TryAcquire(2)
					if !ok && i == 0 {
						ok = s.Acquire(t.Context(), 2) == nil
					}
					if !ok {
						continue
					}
					if h := held.Add(2); h > 2 {
						t.Errorf("%d permits are held, of 2", h)
					}
					held.Add(-2)
					s.Release(2)
				}
			})
		}
		s.Resize(2)
		wg.Wait()
		atRest(t, &s.gate)
	}
}
