package actor

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// collector is an OnDemand that notes what it was told.
func collector(t *testing.T) (*OnDemand[int], func(n int) []int) {
	t.Helper()
	got := make(chan int, 1024)
	a := NewOnDemand("collector", func(i int) { got <- i },
		func(_ int, err *PanicError) { t.Errorf("failed: %v", err) })
	return a, func(n int) []int {
		out := make([]int, 0, n)
		for range n {
			out = append(out, <-got)
		}
		return out
	}
}

func TestOnDemandHandlesInOrder(t *testing.T) {
	a, take := collector(t)
	for i := range 500 {
		if i%3 == 0 {
			a.Deliver(i)
		} else {
			a.Tell(i)
		}
	}
	for i, got := range take(500) {
		if got != i {
			t.Fatalf("message %d handled in place %d", got, i)
		}
	}
}

func TestOnDemandTurnsNeverOverlapAndNothingIsLost(t *testing.T) {
	const senders, each = 8, 20_000
	var turns, sum int // plain: the race detector sees an overlap
	all := make(chan struct{})
	a := NewOnDemand("sum", func(i int) {
		sum += i
		if turns++; turns == senders*each {
			close(all)
		}
	}, func(_ int, err *PanicError) { t.Errorf("failed: %v", err) })
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				if (i+s)%2 == 0 {
					a.Tell(i)
				} else {
					a.Deliver(i)
				}
				if i%64 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	<-all
	if want := senders * each * (each - 1) / 2; sum != want {
		t.Fatalf("sum %d, want %d", sum, want)
	}
}

func TestDeliverAtRestRunsOnTheCallersGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		a := NewOnDemand("lent", func(int) { handled++ }, mustNotFail(t))
		a.Deliver(1) // no goroutine runs meanwhile, so handled can only be 1 if we ran it
		if handled != 1 {
			t.Fatalf("handled %d messages, want 1 before Deliver returns", handled)
		}
	})
}

func TestDeliverLeavesOthersMailToTheActor(t *testing.T) {
	caller, other := make(chan struct{}), make(chan string, 1)
	var a *OnDemand[int]
	a = NewOnDemand("lent", func(i int) {
		switch i {
		case 1:
			a.Tell(2)
			a.Deliver(3) // from inside the turn: queued
		case 2:
			<-caller // would block for ever if Deliver's caller had to handle it
		case 3:
			other <- "done"
		}
	}, mustNotFail(t))
	a.Deliver(1)
	close(caller)
	if got := <-other; got != "done" {
		t.Fatal("mail after the delivered message was not handled")
	}
}

func mustNotFail(t *testing.T) func(int, *PanicError) {
	return func(_ int, err *PanicError) { t.Errorf("failed: %v\n%s", err, err.Stack) }
}

type failure struct {
	msg int
	err *PanicError
}

// frail panics on 13 and exits on 14.
func frail() (*OnDemand[int], chan int, chan failure) {
	ok, bad := make(chan int, 16), make(chan failure, 16)
	return NewOnDemand("frail", func(i int) {
		switch i {
		case 13:
			panic("unlucky")
		case 14:
			runtime.Goexit()
		}
		ok <- i
	}, func(i int, err *PanicError) { bad <- failure{i, err} }), ok, bad
}

func TestPanicSendsThisAndLaterMessagesToFailed(t *testing.T) {
	for name, send := range map[string]func(*OnDemand[int], int){
		"Tell": (*OnDemand[int]).Tell, "Deliver": (*OnDemand[int]).Deliver,
	} {
		t.Run(name, func(t *testing.T) {
			a, ok, bad := frail()
			for _, i := range []int{1, 13, 2, 3} {
				send(a, i)
			}
			for _, want := range []int{13, 2, 3} {
				if f := <-bad; f.msg != want || f.err.Value != "unlucky" || len(f.err.Stack) == 0 {
					t.Fatalf("failed(%d, %v), want message %d", f.msg, f.err, want)
				}
			}
			if got := <-ok; got != 1 || len(ok) != 0 {
				t.Fatalf("handled %d and %d more, want only 1", got, len(ok))
			}
		})
	}
}

func TestGoexitInReceiveDoesNotStopTheActor(t *testing.T) {
	a, _, bad := frail()
	var wg sync.WaitGroup
	wg.Go(func() { a.Deliver(14) }) // ends that goroutine
	wg.Wait()
	a.Tell(5)
	for _, want := range []int{14, 5} {
		if f := <-bad; f.msg != want || !errors.Is(f.err, ErrNoReply) {
			t.Fatalf("failed(%d, %v), want message %d and ErrNoReply", f.msg, f.err, want)
		}
	}
	a, _, bad = frail()
	a.Tell(14) // ends the actor's own goroutine: another one takes over
	a.Tell(6)
	for _, want := range []int{14, 6} {
		if f := <-bad; f.msg != want {
			t.Fatalf("failed(%d, %v), want message %d", f.msg, f.err, want)
		}
	}
}

func TestPanicInFailedIsNotHidden(t *testing.T) {
	a := NewOnDemand("worse", func(int) { panic("first") }, func(int, *PanicError) { panic("second") })
	defer func() {
		if v := recover(); v != "second" {
			t.Fatalf("recovered %v, want the panic of failed", v)
		}
		defer func() {
			if v := recover(); v != "second" {
				t.Fatalf("recovered %v: the actor is stuck", v)
			}
		}()
		a.Deliver(2)
	}()
	a.Deliver(1)
}

func TestOnDemandTaskResultIsAMessage(t *testing.T) {
	a, take := collector(t)
	a.Go(func() int { return 7 })
	if got := take(1)[0]; got != 7 {
		t.Fatalf("got %d", got)
	}
}

func TestOnDemandTaskFailureFailsTheActor(t *testing.T) {
	for name, task := range map[string]func() int{
		"panic":  func() int { panic("unlucky") },
		"goexit": func() int { runtime.Goexit(); return 1 },
	} {
		t.Run(name, func(t *testing.T) {
			a, ok, bad := frail()
			a.Go(task)
			if f := <-bad; f.msg != 0 || f.err == nil {
				t.Fatalf("failed(%d, %v)", f.msg, f.err)
			}
			a.Deliver(1)
			if f := <-bad; f.msg != 1 || len(ok) != 0 {
				t.Fatalf("a message after the failure was not refused: %v", f)
			}
		})
	}
}

func TestOnDemandTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a, take := collector(t)
		a.After(2*time.Second, 2)
		a.After(time.Second, 1)
		if never := a.After(time.Second, 99); !never.Stop() || never.Stop() {
			t.Error("Stop of an armed timer must report true, once")
		}
		if got := take(2); got[0] != 1 || got[1] != 2 {
			t.Errorf("got %v, want [1 2]", got)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestOnDemandTimerStoppedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, handled := make(chan struct{}), make(chan int, 4)
		a := NewOnDemand("late", func(i int) {
			if i == 0 {
				<-gate
			}
			handled <- i
		}, mustNotFail(t))
		a.Tell(0)
		tm := a.After(time.Second, 1)
		<-time.After(2 * time.Second) // now the message waits in the mail
		synctest.Wait()
		if !tm.Stop() {
			t.Error("Stop must win while the message is not being handled")
		}
		a.Tell(2)
		close(gate)
		if x, y := <-handled, <-handled; x != 0 || y != 2 {
			t.Errorf("handled %d, %d: a stopped timer's message was handled", x, y)
		}
		if tm.Stop() {
			t.Error("second Stop reports true")
		}
	})
}

func TestOnDemandSize(t *testing.T) {
	if size := unsafe.Sizeof(OnDemand[any]{}); size > 128 {
		t.Errorf("an idle OnDemand takes %d bytes, want at most 128", size)
	}
	if size := unsafe.Sizeof(Activity{}); size != 4 {
		t.Errorf("an idle Activity takes %d bytes, want 4", size)
	}
}

func TestOnDemandAllocatesNothingInSteadyState(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector makes sync.Pool forget: nothing to measure")
		return
	}
	handled := make(chan struct{}, 1)
	a := NewOnDemand("lean", func(int) { handled <- struct{}{} }, mustNotFail(t))
	for name, send := range map[string]func(){
		"Deliver": func() { a.Deliver(1); <-handled },
		"Tell":    func() { a.Tell(1); <-handled },
	} {
		if n := testing.AllocsPerRun(1000, send); n != 0 {
			t.Errorf("%v allocations for a %s", n, name)
		}
	}
}

func TestNewOnDemandNeedsItsFunctions(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewOnDemand[int]("half", func(int) {}, nil)
}

func TestTryDeliverHandlesAtOnceOrNotAtAll(t *testing.T) {
	var a *OnDemand[int]
	var inside []bool
	got := 0
	a = NewOnDemand("prompt", func(i int) {
		got += i
		if i == 1 {
			inside = append(inside, a.TryDeliver(10))
		}
	}, func(_ int, err *PanicError) { t.Errorf("failed: %v", err) })
	if !a.TryDeliver(1) || got != 1 {
		t.Errorf("at rest: not handled before TryDeliver returned")
	}
	if inside[0] || got != 1 {
		t.Errorf("in its turn: TryDeliver = %v; want false, and nothing done", inside[0])
	}
	if !a.TryDeliver(2) || got != 3 {
		t.Errorf("at rest again: not handled before TryDeliver returned")
	}
}
