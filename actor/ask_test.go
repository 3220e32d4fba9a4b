package actor

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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
				if got, err := ask(t.Context(), r, n*i); err != nil || got != 2*n*i {
					t.Errorf("ask(%d) = %d, %v", n*i, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAskFailsAtOnceWhenTheHandlerDoes(t *testing.T) {
	broken := errors.New("broken")
	r := func(t *testing.T) Ref[question] {
		return spawn(t, quiet(t), func(_ *Self[question], _ context.Context, q question) error {
			switch q.n {
			case 1:
				panic(broken)
			case 2:
				runtime.Goexit()
			case 3:
				return broken
			case 4:
				q.reply.Fail(broken)
			}
			return nil
		})
	}
	for n, want := range []error{ErrNoReply, broken, ErrNoReply, broken, broken} {
		ref := r(t)
		_, err := ask(context.Background(), ref, n)
		if !errors.Is(err, want) {
			t.Errorf("ask(%d): %v, want %v", n, err, want)
		}
		if n >= 1 && n <= 3 {
			<-ref.Done()
			if !errors.Is(ref.Err(), want) {
				t.Errorf("actor ended with %v, want %v", ref.Err(), want)
			}
		}
	}
	_, err := ask(context.Background(), r(t), 1)
	if p := (*PanicError)(nil); !errors.As(err, &p) || len(p.Stack) == 0 {
		t.Errorf("%v is no *PanicError with a stack", err)
	}
}

func TestQueuedAsksFailAtStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := spawn(t, quiet(t), func(_ *Self[question], ctx context.Context, q question) error {
			<-ctx.Done()
			return nil
		}, WithMailbox(4))
		var wg sync.WaitGroup
		for range 20 { // one handled, 4 in the mailbox, the others waiting for room
			wg.Go(func() {
				if _, err := ask(context.Background(), r, 1); !errors.Is(err, ErrStopped) && !errors.Is(err, ErrNoReply) {
					t.Errorf("ask: %v", err)
				}
			})
		}
		synctest.Wait()
		r.Stop()
		wg.Wait()
		<-r.Done()
	})
}

func TestDeferredAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting []Reply[int]
		cancelled := 0
		r := spawn(t, quiet(t), func(_ *Self[question], _ context.Context, q question) error {
			switch q.n {
			case 0: // answer all
				n := 0
				for _, w := range waiting {
					if w.Send(7) {
						n++
					}
				}
				waiting = nil
				q.reply.Send(n*100 + cancelled)
			default:
				q.reply.Defer(func() { cancelled++ })
				waiting = append(waiting, q.reply)
			}
			return nil
		})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				ctx := context.Background()
				if i%2 == 0 {
					c, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					ctx = c
				}
				n, err := ask(ctx, r, 1)
				if i%2 == 0 && !errors.Is(err, context.DeadlineExceeded) || i%2 == 1 && (n != 7 || err != nil) {
					t.Errorf("ask %d: %d, %v", i, n, err)
				}
			})
		}
		<-time.After(2 * time.Second)
		if n, err := ask(context.Background(), r, 0); n != 505 || err != nil {
			t.Errorf("%d, %v: want 5 answered, 5 cancelled", n, err)
		}
		wg.Wait()
	})
}

func TestDeferredAskFailsWhenTheActorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := spawn(t, quiet(t), func(_ *Self[question], _ context.Context, q question) error {
			q.reply.Defer(nil)
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := ask(context.Background(), r, 1); !errors.Is(err, ErrStopped) {
				t.Errorf("ask: %v", err)
			}
		})
		synctest.Wait()
		if err := r.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}
