package actor

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestAcceptedIsHandledPlusDeadLetters sends from many goroutines, in every way, with contexts
// that end at any time, to actors that stop, drain, fail and restart at any time.
func TestAcceptedIsHandledPlusDeadLetters(t *testing.T) {
	rounds, each := 200, 5000
	if raceEnabled {
		rounds = 20
	}
	var operations, answered, dead int64
	for round := range rounds {
		rnd := rand.New(rand.NewPCG(uint64(round), 7))
		var accepted, asked, sent, received, letters atomic.Int64
		s := quiet(t, WithHooks(Hooks{DeadLetter: func(Info, any, error) { letters.Add(1) }}))
		fatal := rnd.IntN(3 * each)
		r := spawn(t, s, func(_ *Self[question], _ context.Context, q question) error {
			if q.reply.Send(q.n) {
				sent.Add(1)
			}
			if q.n == fatal {
				return errBroken
			}
			return nil
		}, WithMailbox(1+rnd.IntN(32)), WithSupervision(Restart(0, rnd.IntN(3))))
		var senders, wg sync.WaitGroup
		for range 4 {
			seed := rnd.Uint64()
			senders.Go(func() { hammer(t, r, each/4, seed, &accepted, &asked, &received) })
		}
		end, after := rnd.IntN(3), uint64(rnd.IntN(each))
		var over atomic.Bool
		wg.Go(func() {
			for r.Stats().Handled < after && !over.Load() {
				runtime.Gosched()
			}
			switch end {
			case 0:
				r.Stop()
			case 1:
				_ = r.Drain(context.Background())
			}
		})
		senders.Wait()
		over.Store(true)
		wg.Wait()
		if err := r.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		st := r.Stats()
		// An ask that ended with its context may have been waiting for room, then it was never
		// accepted, or in the mailbox: those are counted neither as sure nor as refused.
		sure, most := accepted.Load(), accepted.Load()+asked.Load()
		if got := int64(st.Handled + st.DeadLetters); got < sure || got > most {
			t.Fatalf("round %d: %d to %d accepted, %d handled + %d dead letters", round, sure, most, st.Handled, st.DeadLetters)
		}
		if asked.Load() == 0 && int64(st.Handled+st.DeadLetters) != sure {
			t.Fatalf("round %d: %d accepted, %d handled + %d dead letters", round, sure, st.Handled, st.DeadLetters)
		}
		if letters.Load() != int64(st.DeadLetters) {
			t.Fatalf("round %d: the hook saw %d dead letters of %d", round, letters.Load(), st.DeadLetters)
		}
		if sent.Load() != received.Load() {
			t.Fatalf("round %d: %d answers given, %d received", round, sent.Load(), received.Load())
		}
		operations += int64(each)
		answered += received.Load()
		dead += int64(st.DeadLetters)
	}
	t.Logf("%d operations, %d answers, %d dead letters", operations, answered, dead)
}

// hammer sends n messages and counts those accepted for sure, and the asks of which one cannot know.
func hammer(t *testing.T, r Ref[question], n int, seed uint64, accepted, asked, received *atomic.Int64) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range n {
		ctx, cancel := context.WithCancel(context.Background())
		if rnd.IntN(8) == 0 {
			wg.Go(cancel)
		}
		var err error
		switch rnd.IntN(3) {
		case 0:
			if err = r.Tell(ctx, question{n: i}); err == nil {
				accepted.Add(1)
			}
		case 1:
			if err = r.TryTell(question{n: i}); err == nil {
				accepted.Add(1)
			}
		case 2:
			var got int
			got, err = ask(ctx, r, i)
			switch {
			case err == nil && got == i:
				accepted.Add(1)
				received.Add(1)
			case err == nil:
				t.Errorf("ask(%d) = %d", i, got)
			default: // refused, or cancelled, or ended while it was queued
				asked.Add(1)
			}
		}
		cancel()
		if err != nil && !errors.Is(err, ErrStopped) && !errors.Is(err, ErrMailboxFull) &&
			!errors.Is(err, context.Canceled) && !errors.Is(err, errBroken) {
			t.Errorf("unexpected error: %v", err)
		}
	}
}

// TestTellsAreConservedExactly is the same without asks, so that the sum must be exact.
func TestTellsAreConservedExactly(t *testing.T) {
	rounds := 2000
	if raceEnabled {
		rounds = 200
	}
	var sure, dead int64
	for round := range rounds {
		r := spawn(t, quiet(t), func(*Self[int], context.Context, int) error { return nil }, WithMailbox(1+round%5))
		var accepted atomic.Int64
		var wg sync.WaitGroup
		enough := make(chan struct{})
		for sender := range 4 {
			wg.Go(func() {
				for i := range 100 {
					if sender == 0 && i == round%100 {
						close(enough)
					}
					if i%2 == 0 && r.Tell(context.Background(), i) == nil || i%2 == 1 && r.TryTell(i) == nil {
						accepted.Add(1)
					}
				}
			})
		}
		wg.Go(func() {
			if <-enough; round%2 == 0 {
				r.Stop()
			} else if err := r.Drain(context.Background()); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		<-r.Done()
		dead += int64(r.Stats().DeadLetters)
		sure += accepted.Load()
		if st := r.Stats(); int64(st.Handled+st.DeadLetters) != accepted.Load() || st.Queued != 0 {
			t.Fatalf("round %d: %d accepted, %+v", round, accepted.Load(), st)
		}
	}
	t.Logf("%d messages accepted, %d of them dead letters", sure, dead)
}

// TestMailboxFlood has 100 000 goroutines at one small mailbox, and stop, timers and the cancel
// of deferred asks get through all the same.
func TestMailboxFlood(t *testing.T) {
	const senders = 100_000
	synctest.Test(t, func(t *testing.T) {
		r := worker(t, quiet(t), WithMailbox(2))
		release := block(t, r)
		var wg sync.WaitGroup
		var served, stopped atomic.Int64
		for range senders {
			wg.Go(func() {
				_, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error {
					reply.Send(1)
					return nil
				})
				switch {
				case err == nil:
					served.Add(1)
				case errors.Is(err, ErrStopped):
					stopped.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		release()
		_ = r.Tell(context.Background(), nothing) // comes after those who wait: some were served
		r.Stop()
		wg.Wait()
		<-r.Done()
		if served.Load()+stopped.Load() != senders {
			t.Errorf("%d served, %d stopped of %d", served.Load(), stopped.Load(), senders)
		}
	})
}
