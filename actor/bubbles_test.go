package actor

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An OnDemand and a System that a program keeps in variables work in one bubble after another.
func TestOnDemandAndSystemWorkInOneBubbleAfterAnother(t *testing.T) {
	sum := 0
	a := NewOnDemand("adder", func(m addend) {
		sum += m.n
		m.done <- sum
	}, func(m addend, _ *PanicError) { close(m.done) })
	system := quiet(t)
	var last Ref[order]
	use := func(t *testing.T) {
		before := sum
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				m := addend{1, make(chan int, 1)}
				switch i % 4 {
				case 0:
					a.Tell(m)
				case 1:
					a.Deliver(m)
				case 2:
					a.After(time.Millisecond, m)
				case 3:
					a.Go(func() addend { return m })
				}
				<-m.done
			})
		}
		wg.Wait()
		if sum != before+8 {
			t.Errorf("added %d, want 8", sum-before)
		}
		if last.Err() != ErrStopped || last.TryTell(nothing) != ErrStopped || last.Drain(context.Background()) != nil {
			t.Errorf("Err of an actor of an earlier bubble: %v", last.Err())
		}
		if _, err := askWorker(context.Background(), last, nil); !errors.Is(err, ErrStopped) {
			t.Errorf("Ask of an actor of an earlier bubble: %v", err)
		}
		r := worker(t, system)
		if got, err := askWorker(context.Background(), r, func(s *Self[order], reply Reply[int]) error {
			Watch(s, last, func(error) order {
				return func(*Self[order], context.Context) error { reply.Send(7); return nil }
			})
			reply.Defer(nil)
			return nil
		}); got != 7 || err != nil {
			t.Errorf("Watch of an actor of an earlier bubble: %d, %v", got, err)
		}
		if err := r.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		last = r
	}
	use(t)
	synctest.Test(t, use)
	synctest.Test(t, use)
	use(t)
	synctest.Test(t, use)
}

type addend struct {
	n    int
	done chan int
}

func TestWaitingInABubbleForAnActorOutsideIsRefused(t *testing.T) {
	system := quiet(t)
	r := worker(t, system, WithMailbox(1))
	ask := func() error {
		_, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error { reply.Send(1); return nil })
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	const sentence = "was spawned in another synctest bubble, or outside"
	synctest.Test(t, func(t *testing.T) {
		if err := ask(); err == nil || !strings.Contains(err.Error(), sentence) {
			t.Errorf("Ask: %v", err)
		}
		if err := r.TryTell(func(*Self[order], context.Context) error { return nil }); err != nil {
			t.Errorf("TryTell: %v", err)
		}
		mine := worker(t, system)
		tell(t, mine, func(s *Self[order], _ context.Context) error {
			Watch(s, r, func(error) order { return nothing })
			return nil
		})
		<-mine.Done()
		if err := mine.Err(); err == nil || !strings.Contains(err.Error(), sentence) {
			t.Errorf("Watch: %v", err)
		}
	})
	block, blocked := make(chan struct{}), make(chan struct{})
	tell(t, r, func(*Self[order], context.Context) error { close(blocked); <-block; return nil })
	<-blocked
	tell(t, r, nothing) // the mailbox is full
	synctest.Test(t, func(t *testing.T) {
		if err := r.Tell(context.Background(), nothing); err == nil || !strings.Contains(err.Error(), sentence) {
			t.Errorf("Tell to a full mailbox: %v", err)
		}
	})
	close(block)
	if err := ask(); err != nil {
		t.Errorf("outside again: %v", err)
	}
}

// A turn that began outside all bubbles still goes on when a bubble sends its first message.
func TestABubbleWaitsForATurnFromOutside(t *testing.T) {
	for name, send := range map[string]func(*OnDemand[addend], addend){
		"Tell":    func(a *OnDemand[addend], m addend) { a.Tell(m) },
		"Deliver": func(a *OnDemand[addend], m addend) { a.Deliver(m) },
		"After":   func(a *OnDemand[addend], m addend) { a.After(time.Millisecond, m) },
		"Go":      func(a *OnDemand[addend], m addend) { a.Go(func() addend { return m }) },
	} {
		t.Run(name, func(t *testing.T) {
			sum, slow := 0, true
			a := NewOnDemand("adder", func(m addend) {
				sum += m.n
				m.done <- sum
				if slow {
					slow = false
					time.Sleep(20 * time.Millisecond) // the sender goes on
				}
			}, func(m addend, _ *PanicError) { close(m.done) })
			outside := addend{1, make(chan int, 1)}
			a.Tell(outside)
			<-outside.done
			synctest.Test(t, func(t *testing.T) {
				m := addend{1, make(chan int, 1)}
				send(a, m)
				if got := <-m.done; got != 2 {
					t.Errorf("the sum is %d, want 2", got)
				}
			})
		})
	}
}

// A turn of a bubble that sleeps, as no turn should, keeps no other sender of the bubble busy: the
// clock of the bubble would stand still.
func TestABubbleDoesNotWaitForATurnOfItsOwn(t *testing.T) {
	for _, lent := range []bool{true, false} {
		synctest.Test(t, func(*testing.T) {
			a := NewOnDemand("sleeper", func(m addend) {
				time.Sleep(time.Hour)
				m.done <- m.n
			}, func(m addend, _ *PanicError) { close(m.done) })
			first, second := addend{1, make(chan int, 1)}, addend{2, make(chan int, 1)}
			if lent {
				go a.Deliver(first)
			} else {
				a.Tell(first)
			}
			synctest.Wait()
			a.Tell(second)
			<-first.done
			<-second.done
		})
	}
}

func TestATimerOutlivesItsBubble(t *testing.T) {
	a := NewOnDemand("late", func(int) { t.Error("a message after its bubble") }, func(int, *PanicError) {})
	var timer *Timer
	synctest.Test(t, func(*testing.T) { timer = a.After(time.Hour, 1) })
	if !timer.Stop() || timer.Stop() {
		t.Error("Stop did not return true once and false afterwards")
	}
}
