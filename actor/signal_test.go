package actor

import (
	"context"
	"slices"
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

// TestWhatGoesAheadOfTheMailboxDoesNotKeepItWaiting has an actor that always has the next timer or
// task result before it is through with the last.
func TestWhatGoesAheadOfTheMailboxDoesNotKeepItWaiting(t *testing.T) {
	for name, next := range map[string]func(*Self[order], order){
		"timers": func(s *Self[order], do order) { s.After(0, do) },
		"tasks":  func(s *Self[order], do order) { s.Go(func(context.Context) order { return do }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, got, ticks := worker(t, quiet(t)), make(chan int, 1), 0
				var tick order
				tick = func(s *Self[order], _ context.Context) error {
					if ticks++; ticks == 100 {
						t.Error("a hundred of them, and the mailbox still waits")
						s.Ref().Stop()
					}
					next(s, tick)
					<-time.After(time.Second) // now the next one is there
					return nil
				}
				tell(t, r, tick)
				synctest.Wait()
				tell(t, r, func(s *Self[order], _ context.Context) error { got <- ticks; return nil })
				select {
				case n := <-got:
					if n > 5 { // a few wake-ups lie before it
						t.Errorf("handled after %d ticks", n)
					}
				case <-r.Done():
				}
				if name == "timers" { // tasks it would wait for
					if err := r.Drain(context.Background()); err != nil {
						t.Errorf("Drain: %v", err)
					}
				}
				r.Stop()
				<-r.Done()
			})
		})
	}
}

// TestADrainAnswersSignalsButWaitsForNoTimer has the last message begin something of each kind.
func TestADrainAnswersSignalsButWaitsForNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, got := worker(t, quiet(t)), make(chan string, 4)
		release := block(t, r)
		tell(t, r, func(s *Self[order], _ context.Context) error {
			s.After(time.Second, note(got, "timer"))
			Watch(s, Ref[int]{}, func(error) order {
				return func(s *Self[order], _ context.Context) error {
					Watch(s, Ref[int]{}, func(error) order { return note(got, "second watch") })
					got <- "watch"
					return nil
				}
			})
			return nil
		})
		go release()
		if err := r.Drain(context.Background()); err != nil {
			t.Errorf("Drain: %v", err)
		}
		close(got)
		var all []string
		for what := range got {
			all = append(all, what)
		}
		if !slices.Equal(all, []string{"watch", "second watch"}) {
			t.Errorf("handled %v", all)
		}
	})
}

// TestADrainSeesATaskThatEndsWhileATimerIsHandled has a task's result come between the actor's look at what
// goes ahead of the mailbox and its look into the mailbox.
func TestADrainSeesATaskThatEndsWhileATimerIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, got := worker(t, quiet(t)), make(chan int, 1)
		release := block(t, r)
		tell(t, r, func(s *Self[order], _ context.Context) error {
			s.After(0, func(s *Self[order], _ context.Context) error {
				s.Go(func(context.Context) order { return note(got, 1) })
				<-time.After(time.Second)
				return nil
			})
			<-time.After(time.Second)
			return nil
		})
		time.AfterFunc(time.Second/2, func() {
			if err := r.Drain(context.Background()); err != nil || len(got) != 1 {
				t.Errorf("Drain: %v, %d results handled", err, len(got))
			}
		})
		release()
		<-r.Done()
	})
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
