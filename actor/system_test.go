package actor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal notes strings from several goroutines.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, " ")
}

// named spawns a worker with a name.
func namedWorker(t *testing.T, in Scope, name string) Ref[order] {
	t.Helper()
	r, err := Spawn(in, name, func(s *Self[order]) (Behavior[order], error) {
		return BehaviorFunc[order](func(ctx context.Context, do order) error { return do(s, ctx) }), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tree spawns a and b with children b/1, b/2 and b/2/x.
func tree(t *testing.T, s *System) (a, b Ref[order]) {
	a, b = namedWorker(t, s, "a"), namedWorker(t, s, "b")
	ready := make(chan struct{})
	tell(t, b, func(self *Self[order], _ context.Context) error {
		namedWorker(t, self, "1")
		tell(t, namedWorker(t, self, "2"), func(self *Self[order], _ context.Context) error {
			namedWorker(t, self, "x")
			close(ready)
			return nil
		})
		return nil
	})
	<-ready
	return a, b
}

func TestChildrenEndFirstNewestFirst(t *testing.T) {
	var ended journal
	s := quiet(t, WithHooks(Hooks{Stopped: func(i Info, err error) { ended.add("%s", i.Name) }}))
	tree(t, s)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, want := ended.String(), "b/2/x b/2 b/1 b a"; got != want {
		t.Errorf("ended in the order %s, want %s", got, want)
	}
	ended = journal{}
	s = quiet(t, WithHooks(Hooks{Stopped: func(i Info, err error) { ended.add("%s", i.Name) }}))
	_, b := tree(t, s)
	b.Stop()
	<-b.Done()
	if got, want := ended.String(), "b/2/x b/2 b/1 b"; got != want {
		t.Errorf("ended in the order %s, want %s", got, want)
	}
}

func TestActorsListsTheLiving(t *testing.T) {
	s := quiet(t)
	a, _ := tree(t, s)
	list := func() (names []string) {
		for i := range s.Actors() {
			names = append(names, i.Name)
		}
		return names
	}
	if got, want := list(), []string{"a", "b", "b/1", "b/2", "b/2/x"}; !slices.Equal(got, want) {
		t.Errorf("actors %v, want %v", got, want)
	}
	for i := range s.Actors() {
		if i.Name == "a" && i.Capacity != defaultMailbox {
			t.Errorf("%+v", i)
		}
		break
	}
	a.Stop()
	<-a.Done()
	if got, want := list(), []string{"b", "b/1", "b/2", "b/2/x"}; !slices.Equal(got, want) {
		t.Errorf("actors %v, want %v", got, want)
	}
}

func TestShutdownDrainsAndLeavesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		s := quiet(t)
		a, _ := tree(t, s)
		got := make(chan int, 20)
		release := block(t, a)
		for i := range 10 {
			tell(t, a, note(got, i))
		}
		tell(t, a, func(self *Self[order], _ context.Context) error {
			self.Go(func(context.Context) order { <-time.After(time.Hour); return note(got, 10) })
			self.After(24*time.Hour, nothing)
			return nil
		})
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- s.Shutdown(context.Background()) }()
		}
		release()
		if err := errors.Join(<-done, <-done); err != nil || len(got) != 11 {
			t.Errorf("Shutdown: %v, %d of 11 handled", err, len(got))
		}
		_, err := Spawn(s, "late", func(*Self[order]) (Behavior[order], error) { return nil, nil })
		if !errors.Is(err, ErrStopped) {
			t.Errorf("Spawn after Shutdown: %v", err)
		}
	})
}

func TestShutdownWithABlockedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(t)
		stubborn, polite := namedWorker(t, s, "stubborn"), namedWorker(t, s, "polite")
		release := block(t, stubborn)
		tell(t, polite, func(_ *Self[order], ctx context.Context) error { <-ctx.Done(); return nil })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stubborn") || time.Since(start) != time.Second {
			t.Errorf("Shutdown: %v after %v", err, time.Since(start))
		}
		<-polite.Done() // its context was cancelled
		release()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("second Shutdown: %v", err)
		}
	})
}

func TestAChildThatAsksItsEndingParentDoesNotBlockIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(t)
		parent := worker(t, s)
		answer := make(chan error, 1)
		tell(t, parent, func(self *Self[order], _ context.Context) error {
			child := worker(t, self)
			tell(t, child, func(*Self[order], context.Context) error {
				_, err := askWorker(context.Background(), parent, func(_ *Self[order], r Reply[int]) error { return nil })
				answer <- err
				return nil
			})
			synctest.Wait() // the child's ask is in the mailbox
			parent.Stop()
			return nil
		})
		if err := <-answer; !errors.Is(err, ErrStopped) {
			t.Errorf("ask: %v", err)
		}
		<-parent.Done()
	})
}

func TestHooksSeeALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen journal
		s := quiet(t, WithHooks(Hooks{
			Started:    func(i Info) { seen.add("started %s", i.Name) },
			Stopped:    func(i Info, err error) { seen.add("stopped %s %v %d", i.Name, err == ErrStopped, i.DeadLetters) },
			Restarted:  func(i Info, err error) { seen.add("restarted %s %v", i.Name, err) },
			DeadLetter: func(i Info, _ any, why error) { seen.add("letter %s %v", i.Name, errors.Is(why, ErrStopped)) },
		}))
		r := worker(t, s, WithSupervision(Restart(time.Second, 1)))
		tell(t, r, failures["error"])
		<-time.After(time.Minute)
		release := block(t, r)
		tell(t, r, nothing)
		r.Stop()
		release()
		<-r.Done()
		want := "started test restarted test broken letter test true stopped test true 1"
		if got := seen.String(); got != want {
			t.Errorf("hooks saw:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestAPanicInAHookGoesNoFurther(t *testing.T) {
	var log bytes.Buffer
	s := quiet(t, WithLogger(slog.New(slog.NewTextHandler(&log, nil))), WithHooks(Hooks{
		Started:    func(Info) { panic("hook of start") },
		Restarted:  func(Info, error) { runtime.Goexit() },
		Stopped:    func(Info, error) { runtime.Goexit() },
		DeadLetter: func(Info, any, error) { panic("hook of letter") },
	}))
	r := worker(t, s, WithSupervision(Restart(0, 1)))
	tell(t, r, failures["error"])
	release := block(t, r)
	tell(t, r, nothing)
	r.Stop()
	release()
	<-r.Done()
	for _, want := range []string{"hook of start", "hook of letter", "hook=Restarted", "hook=Stopped"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not tell of %q:\n%s", want, &log)
		}
	}
}

func TestFailuresAreLogged(t *testing.T) {
	var log bytes.Buffer
	s := quiet(t, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	r := worker(t, s)
	tell(t, r, failures["panic"])
	<-r.Done()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "broken") {
		t.Errorf("log: %s", &log)
	}
}

func TestTheLogOfARestartHasTheStackOfThePanic(t *testing.T) {
	var log bytes.Buffer
	s := quiet(t, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	r := worker(t, s, WithSupervision(Restart(0, 1)))
	tell(t, r, failures["panic"])
	tell(t, r, failures["error"]) // over the budget
	<-r.Done()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	restarting, _, _ := strings.Cut(log.String(), "\n")
	if !strings.Contains(restarting, "restarting") || !strings.Contains(restarting, "supervise_test.go:") {
		t.Errorf("log: %s", &log)
	}
}

func TestTheZeroSystem(t *testing.T) {
	var s System
	r := worker(t, &s)
	if err := s.Shutdown(context.Background()); err != nil || r.Err() != ErrStopped {
		t.Errorf("Shutdown: %v; Err: %v", err, r.Err())
	}
}

func TestWithLoggerNil(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	WithLogger(nil)
}
