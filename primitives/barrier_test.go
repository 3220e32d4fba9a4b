package primitives

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

func TestABarrierLetsAllPassWhenAllAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier(3)
		wait := func() error { return b.Wait(t.Context()) }
		for range 3 {
			early := results(2, wait)
			synctest.Wait()
			wantErrors(t, early, 0, nil)
			last := results(1, wait)
			synctest.Wait()
			wantErrors(t, early, 2, nil)
			wantErrors(t, last, 1, nil)
		}
	})
}

// Rounds follow each other without a pause; nobody is ever a round ahead of anybody, and all see
// what all did in the round before.
func TestNobodyIsARoundAhead(t *testing.T) {
	const parties = 5
	b := NewBarrier(parties)
	var at [parties]int
	var wg sync.WaitGroup
	for me := range parties {
		wg.Go(func() {
			for round := range rounds(50_000) {
				at[me] = round
				_ = b.Wait(t.Context())
				for who, r := range at {
					if r != round {
						t.Errorf("%d is in round %d, %d in %d", me, round, who, r)
					}
				}
				_ = b.Wait(t.Context())
			}
		})
	}
	wg.Wait()
}

func TestACancelledPartyBreaksTheBarrierForAllWithOneError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier(4)
		ctx, cancel := context.WithCancelCause(t.Context())
		others := results(2, func() error { return b.Wait(t.Context()) })
		own := results(1, func() error { return b.Wait(ctx) })
		synctest.Wait()
		cancel(errShift)
		synctest.Wait()
		mine := <-own
		for _, target := range []error{ErrBroken, context.Canceled, errShift} {
			if !errors.Is(mine, target) {
				t.Errorf("%v is not %v", mine, target)
			}
		}
		if !b.IsBroken() {
			t.Error("the barrier is not broken")
		}
		late := b.Wait(t.Context())
		for _, err := range []error{<-others, <-others, late} {
			var broken *BrokenError
			if !errors.As(err, &broken) || !errors.Is(err, ErrBroken) || err.Error() != mine.Error() {
				t.Errorf("another one got %v", err)
			} else if !errors.Is(broken.Cause, errShift) {
				t.Errorf("the cause is %v", broken.Cause)
			}
			if errors.Is(err, context.Canceled) {
				t.Errorf("%v claims that the context of another one has ended", err)
			}
		}
		b.Reset()
		again := results(4, func() error { return b.Wait(t.Context()) })
		synctest.Wait()
		wantErrors(t, again, 4, nil)
	})
}

func TestAPartyThatDoesNotComeBreaksTheBarrier(t *testing.T) {
	b := NewBarrier(2)
	if err := b.Wait(done()); !errors.Is(err, ErrBroken) || !errors.Is(err, errShift) {
		t.Errorf("Wait with a done context: %v", err)
	}
	if !b.IsBroken() {
		t.Error("the barrier is whole, but one does not come")
	}
	if err := b.Wait(nil); err == nil || errors.Is(err, ErrBroken) { //nolint:staticcheck // what is tested
		t.Errorf("Wait with a nil context: %v", err)
	}
	b.Reset()
	if b.IsBroken() {
		t.Error("Reset did not mend it")
	}
	if got := panics(func() { NewBarrier(0) }); got == "" {
		t.Error("a barrier for nobody is made")
	}
}

func TestResetBreaksTheRoundForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBarrier(3)
		b.Reset() // nobody there: nothing to do
		waiting := results(2, func() error { return b.Wait(t.Context()) })
		synctest.Wait()
		b.Reset()
		synctest.Wait()
		wantErrors(t, waiting, 2, ErrBroken)
		again := results(3, func() error { return b.Wait(t.Context()) })
		synctest.Wait()
		wantErrors(t, again, 3, nil)
	})
}

// The last party comes while the context of another ends: all pass, or none does.
func TestARoundIsPassedByAllOrByNobody(t *testing.T) {
	const parties = 3
	passed, broke := 0, 0
	b := NewBarrier(parties)
	for range rounds(50_000) {
		ctx, cancel := context.WithCancel(context.Background())
		var errs [parties]error
		var wg sync.WaitGroup
		wg.Go(cancel)
		for i := range parties {
			wg.Go(func() {
				c := t.Context()
				if i == 0 {
					c = ctx
				}
				errs[i] = b.Wait(c)
			})
		}
		wg.Wait()
		for _, err := range errs {
			if (err == nil) != (errs[0] == nil) || err != nil && !errors.Is(err, ErrBroken) {
				t.Fatalf("not all the same: %v", errs)
			}
		}
		if errs[0] == nil {
			passed++
		} else {
			broke++
			b.Reset()
		}
	}
	t.Logf("%d rounds passed, %d broke", passed, broke)
}

// Whatever parties, cancels and resets do to each other, nobody waits for ever and nothing is left.
func TestABarrierStorm(t *testing.T) {
	before := runtime.NumGoroutine()
	b := NewBarrier(4)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range rounds(100_000) / 8 {
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 == 0 {
					cancel()
				} else {
					go cancel()
				}
				if err := b.Wait(ctx); err != nil && !errors.Is(err, ErrBroken) {
					t.Errorf("Wait: %v", err)
				}
				if i%2 == 0 {
					b.Reset()
				}
			}
		})
	}
	wg.Wait()
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // hangs if one is left
	}
	b.Reset()
	if p := b.phase.Load(); p != nil {
		t.Errorf("after the last round %d are missing", p.missing.Load())
	}
}
