package primitives

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func wantCounts(t *testing.T, when string, s *Semaphore, size, inUse, waiting int64) {
	t.Helper()
	got := [3]int64{s.Size(), s.InUse(), s.Waiting()}
	if want := [3]int64{size, inUse, waiting}; got != want {
		t.Errorf("%s: size, in use and waiting are %v, want %v", when, got, want)
	}
}

func TestASemaphoreCountsItsPermitsAndWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore(5)
		wantCounts(t, "new", s, 5, 0, 0)
		_ = s.Acquire(t.Context(), 2)
		wantCounts(t, "two held", s, 5, 2, 0)
		ctx, cancel := context.WithCancel(t.Context())
		large := acquired(ctx, s, 4)
		small := acquired(t.Context(), s, 1)
		synctest.Wait()
		wantCounts(t, "one more behind a large request", s, 5, 2, 2)
		cancel()
		<-large
		<-small
		wantCounts(t, "the large request cancelled", s, 5, 3, 0)
		s.Resize(1)
		wantCounts(t, "shrunk below what is held", s, 1, 3, 0)
		s.Release(1)
		wantCounts(t, "one of three released", s, 1, 2, 0)
		s.Resize(9)
		wantCounts(t, "grown", s, 9, 2, 0)
		s.Release(2)
		wantCounts(t, "at rest", s, 9, 0, 0)
		atRest(t, &s.gate)
	})
}

func TestAZeroSemaphoreCountsNothing(t *testing.T) {
	var s Semaphore
	wantCounts(t, "zero", &s, 0, 0, 0)
	s.Resize(3)
	wantCounts(t, "resized", &s, 3, 0, 0)
	s.Resize(0)
	wantCounts(t, "resized to nothing", &s, 0, 0, 0)
	wantCounts(t, "made of nothing", NewSemaphore(0), 0, 0, 0)
}

// Three permits are held all the while, and what waits is never granted.
func TestTheCountsOfASemaphoreAreExactWhateverHappens(t *testing.T) {
	s := NewSemaphore(10)
	_ = s.Acquire(t.Context(), 3)
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range rounds(50_000) {
			s.Resize(int64(i%10 + 1))
		}
		over.Store(true)
	})
	wg.Go(func() {
		for !over.Load() {
			ctx, cancel := context.WithCancel(t.Context())
			waits := results(1, func() error { return s.Acquire(ctx, 8) })
			runtime.Gosched() // so that it may get into the queue
			cancel()
			<-waits
		}
	})
	for !over.Load() {
		if n := s.InUse(); n != 3 {
			t.Errorf("%d permits are in use, want 3", n)
			break
		}
		if n := s.Waiting(); n < 0 || n > 1 {
			t.Errorf("%d wait, want at most 1", n)
			break
		}
		if n := s.Size(); n < 1 || n > 10 {
			t.Errorf("the size is %d, want 1 to 10", n)
			break
		}
	}
	wg.Wait()
	s.Release(3)
	atRest(t, &s.gate)
}
