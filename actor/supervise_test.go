package actor

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("broken")

// failures are the ways in which an actor fails.
var failures = map[string]order{
	"panic":  func(*Self[order], context.Context) error { panic(errBroken) },
	"error":  func(*Self[order], context.Context) error { return errBroken },
	"goexit": func(*Self[order], context.Context) error { runtime.Goexit(); return nil },
	"task": func(s *Self[order], _ context.Context) error {
		s.Go(func(context.Context) order { panic(errBroken) })
		return nil
	},
	"task goexit": func(s *Self[order], _ context.Context) error {
		s.Go(func(context.Context) order { runtime.Goexit(); return nil })
		return nil
	},
	"timer": func(s *Self[order], _ context.Context) error {
		s.After(0, func(*Self[order], context.Context) error { return errBroken })
		return nil
	},
}

func isFailure(err error) bool { return errors.Is(err, errBroken) || errors.Is(err, ErrNoReply) }

func TestAnActorThatFailsStops(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			r := worker(t, quiet(t))
			tell(t, r, fail)
			<-r.Done()
			if !isFailure(r.Err()) {
				t.Errorf("Err: %v", r.Err())
			}
		})
	}
}

// phoenix counts the lives of an actor under the policy.
func phoenix(t *testing.T, policy Supervision) (r Ref[order], lives *atomic.Int64) {
	t.Helper()
	lives = new(atomic.Int64)
	r, err := Spawn(quiet(t), "phoenix", func(s *Self[order]) (Behavior[order], error) {
		lives.Add(1)
		return BehaviorFunc[order](func(ctx context.Context, do order) error { return do(s, ctx) }), nil
	}, WithSupervision(policy))
	if err != nil {
		t.Fatal(err)
	}
	return r, lives
}

func TestRestartKeepsTheMailbox(t *testing.T) {
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, lives := phoenix(t, Restart(time.Second, 1))
				start, got := time.Now(), make(chan int64, 1)
				tell(t, r, fail)
				synctest.Wait()
				tell(t, r, func(*Self[order], context.Context) error { got <- lives.Load(); return nil })
				if n := <-got; n != 2 || time.Since(start) != time.Second {
					t.Errorf("life %d after %v, want the second after 1s", n, time.Since(start))
				}
				if s := r.Stats(); s.Restarts != 1 || r.Err() != nil {
					t.Errorf("%+v, Err %v", s, r.Err())
				}
			})
		})
	}
}

func TestRestartBacksOffUntilTheBudgetIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, lives := phoenix(t, Restart(time.Second, 3))
		start := time.Now()
		for range 4 {
			tell(t, r, failures["panic"])
		}
		<-r.Done()
		if d := time.Since(start); lives.Load() != 4 || d != 7*time.Second { // 1 + 2 + 4
			t.Errorf("%d lives in %v, want 4 in 7s", lives.Load(), d)
		}
		if !errors.Is(r.Err(), errBroken) {
			t.Errorf("Err: %v", r.Err())
		}
	})
}

func TestALongLifeBeginsANewRowOfRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, lives := phoenix(t, Restart(time.Second, 1))
		for range 5 {
			tell(t, r, failures["error"])
			<-time.After(time.Second + steadyLife)
		}
		if lives.Load() != 6 || r.Err() != nil {
			t.Errorf("%d lives, Err %v", lives.Load(), r.Err())
		}
	})
}

func TestRestartDelay(t *testing.T) {
	for _, c := range []struct {
		backoff time.Duration
		n       int
		want    time.Duration
	}{
		{0, 5, 0},
		{time.Second, 1, time.Second},
		{time.Second, 4, 8 * time.Second},
		{time.Second, 1000, longestBackoff},
		{time.Hour, 7, time.Hour},
		{1<<63 - 1, 9, 1<<63 - 1},
	} {
		if got := Restart(c.backoff, 1).delay(c.n); got != c.want {
			t.Errorf("delay of restart %d with backoff %v: %v, want %v", c.n, c.backoff, got, c.want)
		}
	}
}

func TestStopDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, lives := phoenix(t, Restart(time.Hour, 1))
		start := time.Now()
		tell(t, r, failures["panic"])
		synctest.Wait()
		r.Stop()
		<-r.Done()
		if lives.Load() != 1 || time.Since(start) != 0 || r.Err() == nil {
			t.Errorf("%d lives, %v, Err %v", lives.Load(), time.Since(start), r.Err())
		}
	})
}

func TestDrainDuringBackoffHandlesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := phoenix(t, Restart(time.Minute, 1))
		tell(t, r, failures["panic"])
		synctest.Wait()
		got := make(chan int, 1)
		tell(t, r, note(got, 1))
		if err := r.Drain(context.Background()); err != nil || len(got) != 1 {
			t.Errorf("Drain: %v, %d handled", err, len(got))
		}
	})
}

func TestRestartEndsWhatTheOldLifeBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, lives := phoenix(t, Restart(time.Second, 1))
		other := worker(t, quiet(t))
		answer, taskEnded := make(chan error, 1), make(chan struct{})
		var child Ref[order]
		stale := func(*Self[order], context.Context) error { t.Error("of the old life"); return nil }
		tell(t, r, func(s *Self[order], _ context.Context) error {
			child = worker(t, s)
			s.After(time.Millisecond, stale)
			s.Go(func(ctx context.Context) order {
				<-ctx.Done()
				close(taskEnded)
				return stale
			})
			Watch(s, other, func(error) order { return stale })
			return nil
		})
		go func() {
			_, err := askWorker(context.Background(), r, func(_ *Self[order], reply Reply[int]) error {
				reply.Defer(func() { t.Error("onCancel, but the asker has not gone") })
				return nil
			})
			answer <- err
		}()
		synctest.Wait()
		tell(t, r, failures["error"])
		if err := <-answer; !errors.Is(err, errBroken) {
			t.Errorf("the deferred ask: %v, want the failure", err)
		}
		<-taskEnded
		<-child.Done()
		other.Stop()
		<-time.After(time.Minute)
		tell(t, r, func(s *Self[order], _ context.Context) error {
			child = worker(t, s) // the new life may have children again
			s.Go(func(ctx context.Context) order { return nothing })
			return nil
		})
		if err := r.Drain(context.Background()); err != nil || lives.Load() != 2 {
			t.Errorf("Drain: %v, %d lives", err, lives.Load())
		}
		<-child.Done()
	})
}

func TestRestartWhoseStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		r, err := Spawn(quiet(t), "test", func(s *Self[order]) (Behavior[order], error) {
			switch starts++; starts {
			case 2:
				return nil, errBroken
			case 3:
				panic(errBroken)
			case 4:
				runtime.Goexit()
			}
			return BehaviorFunc[order](func(ctx context.Context, do order) error { return do(s, ctx) }), nil
		}, WithSupervision(Restart(time.Second, 5)))
		if err != nil {
			t.Fatal(err)
		}
		tell(t, r, failures["error"])
		got := make(chan int, 1)
		tell(t, r, note(got, 1))
		<-got
		if starts != 5 || r.Stats().Restarts != 4 {
			t.Errorf("%d starts, %+v", starts, r.Stats())
		}
	})
}

func TestEscalateFailsTheParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, lives := phoenix(t, Restart(time.Second, 1))
		children := make(chan Ref[order], 1)
		tell(t, parent, func(s *Self[order], _ context.Context) error {
			children <- worker(t, s, WithSupervision(Escalate))
			return nil
		})
		child := <-children
		tell(t, child, failures["panic"])
		<-child.Done()
		<-time.After(2 * time.Second)
		if lives.Load() != 2 {
			t.Errorf("the parent has had %d lives, want 2", lives.Load())
		}
	})
}

func TestEscalateToTheSystemStopsIt(t *testing.T) {
	s := quiet(t)
	other := worker(t, s)
	r := worker(t, s, WithSupervision(Escalate))
	tell(t, r, failures["panic"])
	<-other.Done()
	if other.Err() != ErrStopped {
		t.Errorf("the other actor: %v", other.Err())
	}
	if err := s.Shutdown(context.Background()); !errors.Is(err, errBroken) {
		t.Errorf("Shutdown: %v, want what was escalated", err)
	}
	if _, err := Spawn(s, "late", func(*Self[order]) (Behavior[order], error) { return nil, nil }); !errors.Is(err, ErrStopped) {
		t.Errorf("Spawn: %v", err)
	}
}

func TestAHandlerThatGivesUpSinceItWasStoppedHasNotFailed(t *testing.T) {
	r := worker(t, quiet(t))
	began := make(chan struct{})
	tell(t, r, func(_ *Self[order], ctx context.Context) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	})
	<-began
	r.Stop()
	<-r.Done()
	if r.Err() != ErrStopped {
		t.Errorf("Err: %v", r.Err())
	}
}
