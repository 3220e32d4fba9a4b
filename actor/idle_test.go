package actor

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnIdleActorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := worker(t, quiet(t), WithIdleTimeout(time.Minute))
		for range 5 { // busy enough for five minutes
			<-time.After(time.Minute - time.Second)
			tell(t, r, nothing)
		}
		synctest.Wait()
		last := time.Now()
		if r.Err() != nil {
			t.Errorf("ended after %v, in use", time.Since(start))
		}
		<-r.Done()
		if d := time.Since(last); r.Err() != ErrStopped || d < time.Minute || d > 2*time.Minute {
			t.Errorf("ended %v after its last message: %v", d, r.Err())
		}
	})
}

func TestAnActorWithWorkIsNotIdle(t *testing.T) {
	for name, work := range map[string]func(s *Self[order], reply Reply[int]){
		"task": func(s *Self[order], _ Reply[int]) {
			s.Go(func(context.Context) order { <-time.After(time.Hour); return nothing })
		},
		"timer":    func(s *Self[order], _ Reply[int]) { s.After(time.Hour, nothing) },
		"deferred": func(s *Self[order], reply Reply[int]) { reply.Defer(nil) },
		"child": func(s *Self[order], _ Reply[int]) {
			idles := BehaviorFunc[order](func(context.Context, order) error { return nil })
			child, _ := Spawn(s, "child", func(*Self[order]) (Behavior[order], error) { return idles, nil })
			time.AfterFunc(time.Hour, child.Stop)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := worker(t, quiet(t), WithIdleTimeout(time.Minute))
				start := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				_, _ = askWorker(ctx, r, func(s *Self[order], reply Reply[int]) error {
					work(s, reply)
					return nil
				})
				<-r.Done()
				if d := time.Since(start); d < time.Hour || d > time.Hour+3*time.Minute {
					t.Errorf("ended after %v, though it had work for an hour", d)
				}
			})
		})
	}
}

// TestIdleTimeoutLosesNoMessage has actors end of idleness as fast as they can, while
// senders spawn a new one whenever they are refused. Each message must be handled.
func TestIdleTimeoutLosesNoMessage(t *testing.T) {
	rounds := 8000
	if raceEnabled {
		rounds = 2000
	}
	const names = 2
	s := quiet(t)
	var handled, spawned, live [names]atomic.Int64
	var current [names]atomic.Pointer[Ref[int]]
	renew := func(n int, old *Ref[int]) {
		if old != nil {
			<-old.Done()
		}
		start := func(*Self[int]) (Behavior[int], error) {
			return BehaviorFunc[int](func(context.Context, int) error {
				if live[n].Add(1) != 1 {
					t.Error("two actors at work under one name")
				}
				handled[n].Add(1)
				live[n].Add(-1)
				return nil
			}), nil
		}
		r, err := Spawn(s, "idler", start, WithIdleTimeout(50*time.Microsecond), WithMailbox(2))
		if err != nil {
			t.Error(err)
		}
		spawned[n].Add(1)
		if !current[n].CompareAndSwap(old, &r) {
			r.Stop() // somebody else was faster
		}
	}
	var wg sync.WaitGroup
	for n := range names {
		for sender := range 2 {
			rnd := rand.New(rand.NewPCG(uint64(n), uint64(sender)))
			wg.Go(func() {
				for i := 0; i < rounds/names; {
					r := current[n].Load()
					if r != nil {
						err := r.Tell(context.Background(), i)
						if err == nil {
							if i++; rnd.IntN(8) == 0 {
								<-r.Done() // which is when the other sender pauses, too, or just when it sends
							}
							continue
						}
						if !errors.Is(err, ErrStopped) {
							t.Error(err)
						}
					}
					renew(n, r)
				}
			})
		}
	}
	wg.Wait()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	var total int64
	for n := range names {
		total += spawned[n].Load()
		if got, want := handled[n].Load(), int64(2*(rounds/names)); got != want {
			t.Errorf("name %d: %d of %d messages handled", n, got, want)
		}
	}
	t.Logf("%d actors for %d messages", total, 2*rounds)
}

func TestASenderWakesAPassivatingActor(t *testing.T) {
	c := &cell[int]{idle: &idleness{}}
	c.state.Store(passivating)
	if !c.idle.enter(&c.core) || c.state.Load() != open {
		t.Error("a sender did not take passivation back")
	}
	if c.mail = make(chan envelope[int], 1); c.passivate() {
		t.Error("passivated under a sender")
	}
	c.idle.exit()
	c.state.Store(stopping)
	if c.idle.enter(&c.core) || c.idle.sending.Load() != 0 {
		t.Error("a sender got into a stopping actor")
	}
}
