package primitives

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"unsafe"
)

// results starts n goroutines that call wait, and returns where their results will come.
func results(n int, wait func() error) chan error {
	c := make(chan error, n)
	for range n {
		go func() { c <- wait() }()
	}
	return c
}

// wantErrors checks that exactly n results are there, each of which is target.
func wantErrors(t *testing.T, c chan error, n int, target error) {
	t.Helper()
	if len(c) != n {
		t.Errorf("%d have returned, want %d", len(c), n)
	}
	for range len(c) {
		if err := <-c; !errors.Is(err, target) {
			t.Errorf("got %v, want %v", err, target)
		}
	}
}

func TestAnEventLetsAllThroughWhileItIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Event
		wait := func() error { return e.Wait(t.Context()) }
		before := results(3, wait)
		synctest.Wait()
		wantErrors(t, before, 0, nil)
		e.Set()
		e.Set()
		if !e.IsSet() {
			t.Error("it is not set")
		}
		late := results(2, wait)
		synctest.Wait()
		wantErrors(t, before, 3, nil)
		wantErrors(t, late, 2, nil)
		e.Reset()
		e.Reset()
		if e.IsSet() {
			t.Error("it is still set")
		}
		after := results(2, wait)
		synctest.Wait()
		wantErrors(t, after, 0, nil)
		e.Reset() // those who wait, wait on
		e.Set()
		synctest.Wait()
		wantErrors(t, after, 2, nil)
	})
}

func TestAResetRightAfterASetLosesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Event
		waiting := results(100, func() error { return e.Wait(t.Context()) })
		synctest.Wait()
		c := e.C()
		e.Set()
		e.Reset()
		synctest.Wait()
		wantErrors(t, waiting, 100, nil)
		<-c
		select {
		case <-e.C():
			t.Error("the channel of an event that was reset is closed")
		default:
		}
	})
}

func TestADoneContextLosesToASetEvent(t *testing.T) {
	var e Event
	e.Set()
	if err := e.Wait(done()); !errors.Is(err, context.Canceled) || !errors.Is(err, errShift) {
		t.Errorf("Wait: %v", err)
	}
	if err := e.Wait(nil); err == nil { //nolint:staticcheck // what is tested
		t.Error("a nil context is accepted")
	}
}

// Whoever is let through sees what was done before the Set, whether it had to wait or not; the
// race detector looks on.
func TestASetIsSynchronizedBeforeWhatItLetsThrough(t *testing.T) {
	for range rounds(50_000) {
		var e Event
		value := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			value = 1
			e.Set()
		})
		for range 2 {
			wg.Go(func() {
				if e.Wait(t.Context()) != nil || !e.IsSet() || value != 1 {
					t.Error("passed without seeing what was before the Set")
				}
			})
		}
		wg.Wait()
	}
}

func TestTheFamilyIsAsSmallAsDocumented(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return // the sizes are those of 64 bits
	}
	for _, size := range []struct {
		of        string
		got, want uintptr
	}{
		{"Event", unsafe.Sizeof(Event{}), 8},
		{"Latch", unsafe.Sizeof(Latch{}), 16},
		{"Barrier", unsafe.Sizeof(Barrier{}), 16},
		{"Cond", unsafe.Sizeof(Cond{}), 48},
		{"KeyedMutex", unsafe.Sizeof(KeyedMutex[string]{}), 48},
		{"KeyedRWMutex", unsafe.Sizeof(KeyedRWMutex[string]{}), 48},
		{"RWMutex", unsafe.Sizeof(RWMutex{}), 64},
	} {
		if size.got != size.want {
			t.Errorf("%s has %d bytes, want %d", size.of, size.got, size.want)
		}
	}
}

func TestCancelledWaitsForAnEventLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	var e Event
	var wg sync.WaitGroup
	const goroutines = 8
	for range goroutines {
		wg.Go(func() {
			for range rounds(100_000) / goroutines {
				ctx, cancel := context.WithCancel(context.Background())
				go cancel()
				if e.Wait(ctx) == nil {
					t.Error("passed, though it was never set")
				}
			}
		})
	}
	wg.Wait()
	for runtime.NumGoroutine() > before {
		runtime.Gosched() // hangs if one is left
	}
	r := e.state.Load()
	e.Set()
	<-r.end
	e.Reset()
	if e.state.Load() != nil {
		t.Error("an event that was set and reset is not as it was made")
	}
}
