package actor

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

func double(_ *Self[question], _ context.Context, q question) error {
	q.reply.Send(2 * q.n)
	return nil
}

func TestAskGetsTheAnswer(t *testing.T) {
	r := spawn(t, quiet(t), double)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 1000 {
				if got, err := ask(context.Background(), r, n*i); err != nil || got != 2*n*i {
					t.Errorf("ask(%d) = %d, %v", n*i, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAskFailsAtOnceWhenTheHandlerDoes(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		do   func(r Reply[int]) error
		want error
		ends bool
	}{
		"no answer": {func(Reply[int]) error { return nil }, ErrNoReply, false},
		"panic":     {func(Reply[int]) error { panic(broken) }, broken, true},
		"goexit":    {func(Reply[int]) error { runtime.Goexit(); return nil }, ErrNoReply, true},
		"error":     {func(Reply[int]) error { return broken }, broken, true},
		"Fail":      {func(r Reply[int]) error { r.Fail(broken); return nil }, broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := worker(t, quiet(t))
			_, err := askWorker(context.Background(), r, func(_ *Self[order], r Reply[int]) error { return c.do(r) })
			if !errors.Is(err, c.want) {
				t.Errorf("Ask: %v, want %v", err, c.want)
			}
			if p := (*PanicError)(nil); name == "panic" && (!errors.As(err, &p) || len(p.Stack) == 0) {
				t.Errorf("Ask: %v is no *PanicError with a stack", err)
			}
			if !c.ends {
				tell(t, r, nothing)
				return
			}
			<-r.Done()
			if !errors.Is(r.Err(), c.want) {
				t.Errorf("Err: %v, want %v", r.Err(), c.want)
			}
		})
	}
}

func TestQueuedAsksFailAtStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t), WithMailbox(4))
		release := block(t, r)
		var wg sync.WaitGroup
		for range 20 { // 4 in the mailbox, the others waiting for room
			wg.Go(func() {
				_, err := askWorker(context.Background(), r, func(*Self[order], Reply[int]) error { return nil })
				if !errors.Is(err, ErrStopped) {
					t.Errorf("ask: %v", err)
				}
			})
		}
		synctest.Wait()
		r.Stop()
		release()
		wg.Wait()
		<-r.Done()
	})
}

func TestQueuedAsksFailWhenTheActorDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t))
		release := block(t, r)
		tell(t, r, func(*Self[order], context.Context) error { panic("over") })
		answers := make(chan error, 5)
		for range cap(answers) {
			go func() {
				_, err := askWorker(context.Background(), r, func(*Self[order], Reply[int]) error { return nil })
				answers <- err
			}()
		}
		synctest.Wait()
		release()
		for range cap(answers) {
			err := <-answers
			if p := (*PanicError)(nil); !errors.Is(err, ErrStopped) || !errors.As(err, &p) || p.Value != "over" {
				t.Errorf("ask: %v, want ErrStopped because of the panic", err)
			}
		}
	})
}

func TestAskCancelledInTheQueueIsNotHandled(t *testing.T) {
	r := worker(t, quiet(t))
	release := block(t, r)
	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan error, 1)
	go func() {
		_, err := askWorker(ctx, r, func(*Self[order], Reply[int]) error { t.Error("handled"); return nil })
		answer <- err
	}()
	for r.Stats().Queued == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("ask: %v", err)
	}
	release()
	if err := r.Drain(context.Background()); err != nil || r.Stats().DeadLetters != 1 {
		t.Errorf("Drain: %v, %+v; want 1 dead letter", err, r.Stats())
	}
}

func TestAnAnswerThatCameFirstIsKeptAlthoughTheContextIsDone(t *testing.T) {
	r := worker(t, quiet(t))
	for range 1000 { // the asker's select may pick either of the two; both must give the answer
		ctx, cancel := context.WithCancel(context.Background())
		n, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
			if !reply.Send(7) {
				t.Error("the asker has gone?")
			}
			cancel()
			return nil
		})
		if n != 7 || err != nil {
			t.Fatalf("Ask = %d, %v", n, err)
		}
	}
}

func TestAHandlerThatAsksItselfIsToldSo(t *testing.T) {
	r := spawn(t, quiet(t), func(s *Self[question], ctx context.Context, q question) error {
		_, err := ask(ctx, s.Ref(), 0)
		q.reply.Fail(err)
		return nil
	})
	if _, err := ask(context.Background(), r, 1); !errors.Is(err, ErrNoReply) {
		t.Errorf("ask: %v", err)
	}
	var other Ref[question]
	other = spawn(t, quiet(t), func(_ *Self[question], ctx context.Context, q question) error {
		_, err := ask(ctx, r, 1) // the context of a handler, derived, for another actor: fine
		if !errors.Is(err, ErrNoReply) {
			t.Errorf("ask to another actor: %v", err)
		}
		q.reply.Send(1)
		return nil
	})
	if _, err := ask(context.Background(), other, 1); err != nil {
		t.Error(err)
	}
}

func TestCancelledAsksLeaveNothing(t *testing.T) {
	r := worker(t, quiet(t), WithMailbox(1))
	release := block(t, r)
	tell(t, r, nothing)
	before := runtime.NumGoroutine()
	for range 100_000 {
		if _, err := askWorker(cancelledContext(), r, nil); err == nil {
			t.Fatal("answered")
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { _, _ = askWorker(ctx, r, nil) })
	}
	cancel()
	wg.Wait()
	for runtime.NumGoroutine() > before { // ends when the last asker's goroutine has, or never
		runtime.Gosched()
	}
	release()
	if err := r.Drain(context.Background()); err != nil || r.Stats().Handled != 2 {
		t.Errorf("%v, %+v", err, r.Stats())
	}
}

func TestAskAllocatesNothingInSteadyState(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector makes sync.Pool forget: nothing to measure")
		return
	}
	r := spawn(t, quiet(t), double)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if n := testing.AllocsPerRun(1000, func() { _, _ = ask(ctx, r, 1) }); n != 0 {
		t.Errorf("%v allocations for an ask", n)
	}
}
