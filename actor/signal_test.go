package actor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestSignalsBehindAFailureWaitForTheNextLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := phoenix(t, Restart(0, 1))
		got := make(chan int, 1)
		free := make(chan struct{})
		tell(t, r, func(s *Self[order], _ context.Context) error {
			s.After(0, failures["error"])
			<-free
			return nil
		})
		synctest.Wait()
		r.cell.post(&signal{call: func(over bool) error { got <- 1; return nil }}) // behind the timer
		close(free)
		<-got // with nothing else in the mailbox
	})
}

func TestSignalsAreCalledInOrder(t *testing.T) {
	r := worker(t, quiet(t))
	release := block(t, r)
	got := make(chan int, 100)
	for i := range cap(got) {
		r.cell.post(&signal{call: func(bool) error { got <- i; return nil }})
	}
	release()
	for i := range cap(got) {
		if n := <-got; n != i {
			t.Fatalf("signal %d called in place %d", n, i)
		}
	}
}

func TestASignalToADeadActorIsCalledWithDead(t *testing.T) {
	r := worker(t, quiet(t))
	r.Stop()
	<-r.Done()
	got := make(chan bool, 1)
	r.cell.post(&signal{call: func(over bool) error { got <- over; return nil }})
	if !<-got {
		t.Error("called as if the actor were alive")
	}
}

func TestSignalsPassedOverByStopAreCalledWithDead(t *testing.T) {
	r, _ := phoenix(t, Restart(time.Hour, 1))
	release := block(t, r)
	got := make(chan bool, 2)
	r.cell.post(&signal{call: func(over bool) error {
		got <- over
		r.Stop()
		return nil
	}})
	r.cell.post(&signal{call: func(over bool) error { got <- over; return nil }})
	release()
	if first, second := <-got, <-got; first || !second {
		t.Errorf("called with dead %v and %v, want false and true", first, second)
	}
}
