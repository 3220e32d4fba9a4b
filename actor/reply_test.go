package actor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestReplyAfterTheAskerHasGone(t *testing.T) {
	r := worker(t, quiet(t))
	handling, cancelled := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	sent := make(chan bool, 1)
	go func() {
		<-handling
		cancel()
	}()
	_, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
		close(handling)
		<-cancelled
		sent <- reply.Send(1)
		return nil
	})
	close(cancelled)
	if ok := <-sent; ok || !errors.Is(err, context.Canceled) {
		t.Errorf("Send %v, Ask %v: the asker had gone", ok, err)
	}
}

func TestDeferredAskIsAnsweredLaterOrCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting []Reply[int]
		cancelled := 0
		r := worker(t, quiet(t))
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				ctx := context.Background()
				if i%2 == 0 {
					c, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					ctx = c
				}
				n, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
					reply.Defer(func() { cancelled++ })
					waiting = append(waiting, reply)
					return nil
				})
				if i%2 == 0 && !errors.Is(err, context.DeadlineExceeded) || i%2 == 1 && (n != 7 || err != nil) {
					t.Errorf("ask %d: %d, %v", i, n, err)
				}
			})
		}
		<-time.After(2 * time.Second)
		n, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error {
			answered := 0
			for _, w := range waiting {
				if w.Send(7) {
					answered++
				}
			}
			reply.Send(answered*100 + cancelled)
			return nil
		})
		if n != 505 || err != nil {
			t.Errorf("%d, %v: want 5 answered and 5 cancelled", n, err)
		}
		wg.Wait()
	})
}

func TestCancelOfADeferredAskPassesAFullMailbox(t *testing.T) {
	r := worker(t, quiet(t), WithMailbox(1))
	order1 := make(chan string, 4)
	ctx, cancel := context.WithCancel(context.Background())
	isDeferred, answer := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
			reply.Defer(func() { order1 <- "cancel" })
			close(isDeferred)
			return nil
		})
		answer <- err
	}()
	<-isDeferred
	release := block(t, r)
	tell(t, r, note(order1, "message"))
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	if first, second := <-order1, <-order1; first != "cancel" || second != "message" {
		t.Errorf("%s came before %s", first, second)
	}
}

func TestDeferAfterTheAskerHasGoneRunsOnCancel(t *testing.T) {
	r := worker(t, quiet(t))
	ctx, cancel := context.WithCancel(context.Background())
	gone, called := make(chan struct{}), make(chan struct{})
	_, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
		cancel()
		<-gone
		reply.Defer(func() { close(called) })
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gone)
	<-called
}

func TestDeferredAskFailsWhenTheActorEnds(t *testing.T) {
	for name, end := range map[string]func(Ref[order]){
		"stop":  Ref[order].Stop,
		"drain": func(r Ref[order]) { _ = r.Drain(context.Background()) },
		"panic": func(r Ref[order]) { _ = r.TryTell(func(*Self[order], context.Context) error { panic("over") }) },
	} {
		t.Run(name, func(t *testing.T) {
			r := worker(t, quiet(t))
			isDeferred := make(chan struct{})
			go func() {
				<-isDeferred
				end(r)
			}()
			_, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error {
				reply.Defer(func() { t.Error("onCancel, but the asker has not gone") })
				close(isDeferred)
				return nil
			})
			if !errors.Is(err, ErrStopped) {
				t.Errorf("ask: %v", err)
			}
			<-r.Done()
		})
	}
}

func TestTheZeroReplyHasNoAsker(t *testing.T) {
	var r Reply[int]
	r.Defer(nil)
	if r.Send(1) || r.Fail(nil) {
		t.Error("somebody got an answer")
	}
}

func TestASecondDeferDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t))
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		_, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
			reply.Defer(func() { calls++ })
			cancel()
			synctest.Wait() // the asker has gone
			reply.Defer(func() { t.Error("onCancel of the second Defer") })
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := r.Drain(context.Background()); err != nil || calls != 1 {
			t.Errorf("Drain: %v; onCancel called %d times, want once", err, calls)
		}
	})
}

// TestOnCancelEndsWithItsLife lets an asker go while the actor is about to fail: onCancel would put
// right a state that the next life does not have.
func TestOnCancelEndsWithItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t), WithSupervision(Restart(time.Second, 1)))
		ctx, cancel := context.WithCancel(context.Background())
		gone := make(chan error)
		go func() {
			_, err := askWorker(ctx, r, func(_ *Self[order], reply Reply[int]) error {
				reply.Defer(func() { t.Error("onCancel of an earlier life") })
				return nil
			})
			gone <- err
		}()
		synctest.Wait()
		tell(t, r, func(*Self[order], context.Context) error {
			cancel()
			<-gone
			return errBroken
		})
		if err := r.Drain(context.Background()); err != nil || r.Stats().Restarts != 1 {
			t.Errorf("Drain: %v, %+v", err, r.Stats())
		}
	})
}

// TestAReplyGivenAwayBeforeTheAskIsRefused has somebody answer an ask that an ended actor refuses:
// what Send says is what the asker gets, and no later ask is given that answer.
func TestAReplyGivenAwayBeforeTheAskIsRefused(t *testing.T) {
	r := spawn(t, quiet(t), double)
	r.Stop()
	<-r.Done()
	for range 5000 {
		var sent bool
		var wg sync.WaitGroup
		got, err := Ask(context.Background(), r, func(reply Reply[int]) question {
			wg.Go(func() { sent = reply.Send(7) })
			return question{reply: reply}
		})
		wg.Wait()
		if received := err == nil && got == 7; received != sent || !received && !errors.Is(err, ErrStopped) {
			t.Fatalf("sent: %v, asker: %d, %v", sent, got, err)
		}
	}
}
