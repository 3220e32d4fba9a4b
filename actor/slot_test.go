package actor

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestReplyOrCancelIsExact(t *testing.T) {
	rounds := 500_000
	if raceEnabled {
		rounds = 50_000
	}
	var sent, received atomic.Int64
	r := spawn(t, quiet(t), func(_ *Self[question], _ context.Context, q question) error {
		if q.n%16 == 0 {
			runtime.Gosched()
		}
		if q.reply.Send(q.n) {
			sent.Add(1)
		}
		if q.reply.Send(-1) {
			t.Error("answered twice")
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			cancels := make(chan context.CancelFunc, 1)
			wg.Go(func() {
				for cancel := range cancels {
					cancel()
				}
			})
			for i := range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				if i%2 == 0 {
					cancels <- cancel
				}
				n, err := ask(ctx, r, i)
				switch {
				case err == nil && n == i:
					received.Add(1)
				case !errors.Is(err, context.Canceled):
					t.Errorf("ask(%d) = %d, %v", i, n, err)
				}
				cancel()
			}
			close(cancels)
		})
	}
	wg.Wait()
	if err := r.Drain(context.Background()); err != nil {
		t.Error(err)
	}
	if sent.Load() != received.Load() {
		t.Errorf("%d answers given, %d received", sent.Load(), received.Load())
	}
	t.Logf("%d of %d asks answered", received.Load(), 2*rounds)
}

// granter defers every ask, and gives what it has to whoever waits longest, as a lock does.
func granter(t *testing.T, in Scope, given *atomic.Int64) Ref[question] {
	var waiting []Reply[int]
	return spawn(t, in, func(s *Self[question], _ context.Context, q question) error {
		if q.n < 0 { // back
			given.Add(-1)
		} else {
			q.reply.Defer(func() {
				if q.reply.Send(0) {
					t.Error("Send succeeds after onCancel")
				}
			})
			waiting = append(waiting, q.reply)
		}
		for len(waiting) > 0 && given.Load() == 0 {
			next := waiting[0]
			waiting = waiting[1:]
			if next.Send(1) {
				given.Add(1)
			}
		}
		return nil
	})
}

func TestNoGrantIsLostWhenDeferredAsksAreCancelled(t *testing.T) {
	rounds := 100_000
	if raceEnabled {
		rounds = 10_000
	}
	var given, inside atomic.Int64
	r := granter(t, quiet(t), &given)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				if rnd.IntN(2) == 0 {
					wg.Go(cancel)
				}
				if _, err := ask(ctx, r, 1); err == nil {
					if inside.Add(1) != 1 {
						t.Error("granted twice")
					}
					inside.Add(-1)
					tell(t, r, question{n: -1})
				} else if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if _, err := ask(context.Background(), r, 1); err != nil {
		t.Errorf("the grant is lost: %v", err)
	}
}

func TestAStaleReplyCannotAnswerALaterAsk(t *testing.T) {
	var old []Reply[int]
	r := spawn(t, quiet(t), func(_ *Self[question], _ context.Context, q question) error {
		for _, stale := range old {
			if stale.Send(-1) || stale.Fail(errBroken) {
				t.Error("a reply of an earlier ask was taken")
			}
			stale.Defer(func() { t.Error("onCancel of an earlier ask") })
		}
		old = append(old, q.reply)
		q.reply.Send(q.n)
		return nil
	})
	for i := range 50 { // one asker, so the slot is the same again and again
		if n, err := ask(context.Background(), r, i); n != i || err != nil {
			t.Fatalf("ask(%d) = %d, %v", i, n, err)
		}
	}
}

func TestAReplySentBeforeTheMessageIsHandled(t *testing.T) {
	r := worker(t, quiet(t))
	release := block(t, r)
	handled := make(chan int, 8)
	for i := range cap(handled) {
		var leaked Reply[int]
		built := make(chan struct{})
		go func() {
			<-built
			leaked.Send(i) // by somebody other than the actor
		}()
		n, err := Ask(context.Background(), r, func(reply Reply[int]) order {
			leaked = reply
			close(built)
			return note(handled, i)
		})
		if n != i || err != nil {
			t.Fatalf("ask %d = %d, %v", i, n, err)
		}
	}
	release()
	for i := range cap(handled) { // the messages are handled all the same, and disturb no other ask
		if n := <-handled; n != i {
			t.Errorf("message %d handled in place %d", n, i)
		}
	}
}

func TestRepliesOfSeveralTypes(t *testing.T) {
	r := worker(t, quiet(t))
	for range 100 {
		if s, err := Ask(context.Background(), r, func(reply Reply[string]) order {
			return func(*Self[order], context.Context) error { reply.Send("text"); return nil }
		}); s != "text" || err != nil {
			t.Fatalf("%q, %v", s, err)
		}
		if n, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error {
			reply.Send(1)
			return nil
		}); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

func TestASlotWhoseMessageIsStillQueuedServesNoOtherAsk(t *testing.T) {
	r := worker(t, quiet(t))
	release := block(t, r)
	n, err := Ask(context.Background(), r, func(reply Reply[int]) order {
		reply.Send(1) // answered before it is even sent; the message is queued all the same
		return nothing
	})
	if n != 1 || err != nil {
		t.Fatalf("Ask = %d, %v", n, err)
	}
	answer := make(chan error, 1)
	go func() {
		n, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error {
			reply.Send(2)
			return nil
		})
		if err == nil && n != 2 {
			err = errors.New("wrong answer")
		}
		answer <- err
	}()
	for r.Stats().Queued < 2 {
		runtime.Gosched()
	}
	release()
	if err := <-answer; err != nil {
		t.Errorf("the second ask: %v", err)
	}
}
