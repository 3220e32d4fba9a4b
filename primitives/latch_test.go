package primitives

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestALatchOpensAtZeroAndStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLatch(3)
		waiting := results(4, func() error { return l.Wait(t.Context()) })
		c := l.C()
		l.CountDown(1)
		l.CountDown(0)
		synctest.Wait()
		wantErrors(t, waiting, 0, nil)
		if n := l.Count(); n != 2 {
			t.Errorf("%d are left, want 2", n)
		}
		l.CountDown(2)
		synctest.Wait()
		wantErrors(t, waiting, 4, nil)
		<-c
		<-l.C()
		l.CountDown(0)
		if err := l.Wait(t.Context()); err != nil || l.Count() != 0 {
			t.Errorf("an open latch: %v, %d left", err, l.Count())
		}
	})
}

func TestALatchOfZeroIsOpen(t *testing.T) {
	l := NewLatch(0)
	if err := l.Wait(t.Context()); err != nil {
		t.Errorf("Wait: %v", err)
	}
	<-l.C()
}

func TestADoneContextLosesToAnOpenLatch(t *testing.T) {
	l := NewLatch(0)
	if err := l.Wait(done()); !errors.Is(err, context.Canceled) || !errors.Is(err, errShift) {
		t.Errorf("Wait: %v", err)
	}
	if err := l.Wait(nil); err == nil { //nolint:staticcheck // what is tested
		t.Error("a nil context is accepted")
	}
}

func TestALatchRefusesToCountBelowZero(t *testing.T) {
	l := NewLatch(2)
	for _, n := range []int64{3, -1} {
		if got := panics(func() { l.CountDown(n) }); !strings.Contains(got, "CountDown of a Latch") {
			t.Errorf("CountDown(%d) panics with %q", n, got)
		}
	}
	if n := l.Count(); n != 2 {
		t.Errorf("refused, and yet the count is %d", n)
	}
	if got := panics(func() { NewLatch(-1) }); !strings.Contains(got, "negative count") {
		t.Errorf("NewLatch(-1) panics with %q", got)
	}
}

// Of many that count down at once, exactly the right number succeed, and everybody who waits
// sees what they had done before.
func TestCountingDownRaces(t *testing.T) {
	const n, more = 8, 4
	for range rounds(20_000) {
		l := NewLatch(n)
		var done [n + more]bool
		var wg sync.WaitGroup
		refused := make(chan int, n+more)
		for i := range done {
			wg.Go(func() {
				done[i] = true
				if panics(func() { l.CountDown(1) }) != "" {
					refused <- i
				}
			})
		}
		_ = l.Wait(t.Context())
		wg.Wait()
		if len(refused) != more {
			t.Fatalf("%d were refused, want %d", len(refused), more)
		}
	}
}

func TestEveryCountDownIsSynchronizedBeforeTheOpening(t *testing.T) {
	const n = 4
	for range rounds(20_000) {
		l := NewLatch(n)
		var did [n]bool
		for i := range did {
			go func() {
				did[i] = true
				l.CountDown(1)
			}()
		}
		_ = l.Wait(t.Context())
		if did != [n]bool{true, true, true, true} {
			t.Fatal("passed before all had counted down")
		}
	}
}

func TestCancelledWaitsForALatchLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	l := NewLatch(1)
	ctx, cancel := context.WithCancel(context.Background())
	waiting := results(rounds(100_000), func() error { return l.Wait(ctx) })
	cancel()
	for range cap(waiting) {
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Fatalf("Wait: %v", err)
		}
	}
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // hangs if one is left
	}
	l.CountDown(1)
	if err := l.Wait(t.Context()); err != nil {
		t.Errorf("after the cancels: %v", err)
	}
}
