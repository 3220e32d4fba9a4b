package actor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// watching has r watch target and returns where the end is reported.
func watching[N any](t *testing.T, r Ref[order], target Ref[N]) chan error {
	t.Helper()
	ended, begun := make(chan error, 4), make(chan struct{})
	tell(t, r, func(s *Self[order], _ context.Context) error {
		Watch(s, target, func(err error) order {
			return func(*Self[order], context.Context) error { ended <- err; return nil }
		})
		close(begun)
		return nil
	})
	<-begun
	return ended
}

func TestWatchTellsOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watcher, target := worker(t, quiet(t)), worker(t, quiet(t))
		first, second := watching(t, watcher, target), watching(t, watcher, target)
		synctest.Wait()
		if len(first)+len(second) != 0 {
			t.Error("told of the end of a live actor")
		}
		tell(t, target, failures["panic"])
		for _, ended := range []chan error{first, second} {
			if err := <-ended; !errors.Is(err, errBroken) {
				t.Errorf("told of %v", err)
			}
		}
		synctest.Wait()
		if len(first)+len(second) != 0 {
			t.Error("told twice")
		}
	})
}

func TestWatchOfADeadActor(t *testing.T) {
	watcher, target := worker(t, quiet(t)), worker(t, quiet(t))
	target.Stop()
	<-target.Done()
	if err := <-watching(t, watcher, target); err != ErrStopped {
		t.Errorf("told of %v", err)
	}
	if err := <-watching(t, watcher, Ref[int]{}); err != ErrStopped {
		t.Errorf("told of %v", err)
	}
}

func TestWatchPassesAFullMailbox(t *testing.T) {
	watcher, target := worker(t, quiet(t), WithMailbox(1)), worker(t, quiet(t))
	ended := watching(t, watcher, target)
	release := block(t, watcher)
	tell(t, watcher, nothing)
	target.Stop()
	<-target.Done()
	release()
	<-ended
}

func TestAWatchEndsWithTheWatcher(t *testing.T) {
	target := worker(t, quiet(t))
	for range 100 {
		watcher := worker(t, quiet(t))
		watching(t, watcher, target)
		watcher.Stop()
		<-watcher.Done()
	}
	if n := len(target.cell.kin.watchers); n != 0 {
		t.Errorf("%d watches left by actors that have ended", n)
	}
}

func TestWatchRacingTheEnd(t *testing.T) {
	watcher := worker(t, quiet(t))
	s := quiet(t)
	for range 1000 {
		target := worker(t, s)
		go target.Stop()
		<-watching(t, watcher, target) // told exactly once, whichever came first
	}
}

func TestActorsMayWatchEachOther(t *testing.T) {
	s := quiet(t)
	a, b := worker(t, s), worker(t, s)
	ended := watching(t, a, b)
	watching(t, b, a)
	b.Stop()
	<-ended
}
