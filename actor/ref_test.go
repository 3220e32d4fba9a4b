package actor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMessagesOfOneSenderAreHandledInOrder(t *testing.T) {
	r, got := worker(t, quiet(t), WithMailbox(2)), make(chan int, 1000)
	for i := range 1000 {
		tell(t, r, note(got, i))
	}
	for i := range 1000 {
		if n := <-got; n != i {
			t.Fatalf("message %d handled in place %d", n, i)
		}
	}
}

func TestTellWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t), WithMailbox(1))
		release := block(t, r)
		tell(t, r, nothing)
		told := make(chan error, 1)
		go func() { told <- r.Tell(context.Background(), nothing) }()
		synctest.Wait()
		select {
		case err := <-told:
			t.Errorf("Tell returned %v although the mailbox is full", err)
		default:
		}
		release()
		if err := <-told; err != nil {
			t.Error(err)
		}
	})
}

func TestTryTellRefusesWhenFull(t *testing.T) {
	r := worker(t, quiet(t), WithMailbox(2))
	defer block(t, r)()
	for range 2 {
		if err := r.TryTell(nothing); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.TryTell(nothing); err != ErrMailboxFull {
		t.Fatalf("TryTell to a full mailbox: %v", err)
	}
	if s := r.Stats(); s.Queued != 2 || s.Capacity != 2 {
		t.Fatalf("stats %+v, want 2 of 2 queued", s)
	}
}

func TestContextAlreadyDoneLoses(t *testing.T) {
	r := worker(t, quiet(t))
	cause := errors.New("the cause")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	err := r.Tell(ctx, func(*Self[order], context.Context) error { t.Error("handled"); return nil })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("Tell: %v, want the context's error and its cause", err)
	}
	_, err = askWorker(ctx, r, func(*Self[order], Reply[int]) error { t.Error("handled"); return nil })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("Ask: %v, want the context's error and its cause", err)
	}
	if err := r.Drain(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestTellGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t), WithMailbox(1))
		release := block(t, r)
		tell(t, r, nothing)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		never := func(*Self[order], context.Context) error { t.Error("a message not sent was handled"); return nil }
		if err := r.Tell(ctx, never); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Tell: %v", err)
		}
		release()
		if err := r.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		if s := r.Stats(); s.Handled != 2 || s.DeadLetters != 0 {
			t.Errorf("stats %+v, want 2 handled", s)
		}
	})
}

func TestStopMakesDeadLettersOfTheQueue(t *testing.T) {
	var mu sync.Mutex
	letters := 0
	s := quiet(t, WithHooks(Hooks{DeadLetter: func(_ Info, msg any, why error) {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := msg.(order); ok && errors.Is(why, ErrStopped) {
			letters++
		}
	}}))
	r := worker(t, s)
	release := block(t, r)
	for range 5 {
		tell(t, r, func(*Self[order], context.Context) error { t.Error("handled after Stop"); return nil })
	}
	r.Stop()
	r.Stop()
	release()
	<-r.Done()
	if s := r.Stats(); letters != 5 || s.DeadLetters != 5 || s.Handled != 1 {
		t.Errorf("%d dead letters seen, stats %+v; want 5, and 1 handled", letters, s)
	}
	if r.Err() != ErrStopped {
		t.Errorf("Err() = %v", r.Err())
	}
}

func TestStopFreesSendersWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t), WithMailbox(1))
		release := block(t, r)
		tell(t, r, nothing)
		told := make(chan error, 8)
		for range cap(told) {
			go func() { told <- r.Tell(context.Background(), nothing) }()
		}
		synctest.Wait()
		r.Stop()
		for range cap(told) { // while the handler is still blocked
			if err := <-told; !errors.Is(err, ErrStopped) {
				t.Errorf("Tell: %v", err)
			}
		}
		release()
		<-r.Done()
	})
}

func TestSendAfterStop(t *testing.T) {
	for name, end := range map[string]func(Ref[order]){
		"Stop":  func(r Ref[order]) { r.Stop() },
		"Drain": func(r Ref[order]) { _ = r.Drain(context.Background()) },
		"panic": func(r Ref[order]) {
			tell(t, r, func(*Self[order], context.Context) error { panic("over") })
			<-r.Done()
		},
		"never spawned": nil,
	} {
		t.Run(name, func(t *testing.T) {
			var r Ref[order]
			if end != nil {
				r = worker(t, quiet(t))
				if r.Err() != nil {
					t.Errorf("Err() of a live actor: %v", r.Err())
				}
				end(r)
			}
			if err := r.Tell(context.Background(), nothing); !errors.Is(err, ErrStopped) {
				t.Errorf("Tell: %v", err)
			}
			if err := r.TryTell(nothing); !errors.Is(err, ErrStopped) {
				t.Errorf("TryTell: %v", err)
			}
			_, err := askWorker(context.Background(), r, func(*Self[order], Reply[int]) error { return nil })
			if !errors.Is(err, ErrStopped) {
				t.Errorf("Ask: %v", err)
			}
			<-r.Done()
			if r.Err() == nil {
				t.Error("Err() is nil after the end")
			}
			if p := (*PanicError)(nil); name == "panic" && !errors.As(err, &p) {
				t.Errorf("Ask: %v does not tell what brought the actor down", err)
			}
			r.Stop()
			if err := r.Drain(context.Background()); err != nil {
				t.Errorf("Drain: %v", err)
			}
		})
	}
}

func TestDrainHandlesWhatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, got := worker(t, quiet(t), WithMailbox(4)), make(chan int, 10)
		release := block(t, r)
		var wg sync.WaitGroup
		for i := range cap(got) { // 4 in the mailbox, the others waiting for room
			wg.Go(func() { tell(t, r, note(got, i)) })
		}
		synctest.Wait()
		wg.Go(func() {
			if err := r.Drain(context.Background()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if err := r.TryTell(nothing); err != ErrStopped {
			t.Errorf("TryTell while draining: %v", err)
		}
		release()
		wg.Wait()
		if len(got) != 10 || r.Err() != ErrStopped || r.Stats().DeadLetters != 0 {
			t.Errorf("%d of 10 handled, Err %v, %+v", len(got), r.Err(), r.Stats())
		}
	})
}

func TestDrainWaitsForTasksAndTheirResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t))
		var result int
		tell(t, r, func(s *Self[order], _ context.Context) error {
			s.Go(func(context.Context) order {
				<-time.After(time.Hour)
				return func(*Self[order], context.Context) error { result = 7; return nil }
			})
			return nil
		})
		if err := r.Drain(context.Background()); err != nil || result != 7 {
			t.Errorf("Drain: %v, result %d", err, result)
		}
	})
}

func TestDrainGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t))
		release := block(t, r)
		tell(t, r, func(*Self[order], context.Context) error { t.Error("handled after Drain gave up"); return nil })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain: %v", err)
		}
		release()
		<-r.Done()
		if s := r.Stats(); s.DeadLetters != 1 {
			t.Errorf("%+v, want 1 dead letter", s)
		}
	})
}

func TestTellAllocatesNothing(t *testing.T) {
	r := spawn(t, quiet(t), func(*Self[int], context.Context, int) error { return nil })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if n := testing.AllocsPerRun(1000, func() { _ = r.Tell(ctx, 1) }); n != 0 {
		t.Errorf("%v allocations for a Tell", n)
	}
}

func TestTryTellToAnActorWithIdleTimeout(t *testing.T) {
	r := worker(t, quiet(t), WithIdleTimeout(time.Hour), WithMailbox(1))
	release := block(t, r)
	if err := r.TryTell(nothing); err != nil {
		t.Error(err)
	}
	if err := r.TryTell(nothing); err != ErrMailboxFull {
		t.Errorf("TryTell to a full mailbox: %v", err)
	}
	r.Stop()
	if err := r.TryTell(nothing); err != ErrStopped {
		t.Errorf("TryTell after Stop: %v", err)
	}
	release()
	<-r.Done()
}

func TestTheZeroRef(t *testing.T) {
	var r Ref[order]
	if r.Name() != "" || r.Stats() != (Stats{}) || r.Err() != ErrStopped {
		t.Errorf("%q %+v %v", r.Name(), r.Stats(), r.Err())
	}
}
