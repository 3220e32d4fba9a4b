package lkasynq

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

const patience = 2 * time.Minute

var queues atomic.Int64

// farm is servers and a client with a queue of their own.
type farm struct {
	at    asynq.RedisClientOpt
	queue string
}

func newFarm(t *testing.T) farm {
	t.Helper()
	return farm{asynq.RedisClientOpt{Addr: server.Get(t).Addr}, "q" + strconv.FormatInt(queues.Add(1), 10)}
}

// serve runs a server until the end of the test. It tells of the errors of tasks.
func (f farm) serve(t *testing.T, claim func(*asynq.Task) (manager.Claim, bool), h asynq.HandlerFunc) <-chan error {
	t.Helper()
	limit, err := New(claim)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 100)
	s := asynq.NewServer(f.at, asynq.Config{
		Concurrency: 4, Queues: map[string]int{f.queue: 1}, LogLevel: asynq.FatalLevel,
		TaskCheckInterval: 10 * time.Millisecond, DelayedTaskCheckInterval: 10 * time.Millisecond,
		IsFailure:      IsFailure,
		RetryDelayFunc: RetryDelay(0, func(int, error, *asynq.Task) time.Duration { return 0 }),
		ErrorHandler: asynq.ErrorHandlerFunc(func(_ context.Context, _ *asynq.Task, err error) {
			select {
			case failed <- err:
			default: // the test has seen enough
			}
		}),
	})
	mux := asynq.NewServeMux()
	mux.Use(limit)
	mux.Handle("report", h)
	if err := s.Start(mux); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return failed
}

// enqueue makes n tasks that have one retry each.
func (f farm) enqueue(t *testing.T, n int) {
	t.Helper()
	c := asynq.NewClient(f.at)
	defer c.Close()
	for range n {
		if _, err := c.Enqueue(asynq.NewTask("report", nil), asynq.Queue(f.queue), asynq.MaxRetry(1)); err != nil {
			t.Fatal(err)
		}
	}
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("nothing after %v", patience)
		panic("unreachable")
	}
}

// Two servers with four workers each would run eight at a time. Each task meets a busy semaphore more
// often than it has retries, and is done all the same.
func TestAtMostTwoTasksRunAtATimeOnAllServers(t *testing.T) {
	f, prefix := newFarm(t), server.Get(t).Prefix()
	var running, ran atomic.Int64
	done, full := make(chan struct{}, 100), make(chan struct{})
	var failed [2]<-chan error
	for i := range failed {
		m := managertest.Redis(t, server.Get(t), prefix)
		failed[i] = f.serve(t, func(t *asynq.Task) (manager.Claim, bool) {
			return m.Semaphore("task/"+t.Type(), 2).Permits(1), true
		}, func(ctx context.Context, _ *asynq.Task) error {
			if n := running.Add(1); n > 2 {
				t.Errorf("%d at a time", n)
			}
			if ran.Add(1) <= 2 {
				<-full // until others were refused
			}
			running.Add(-1)
			done <- struct{}{}
			return ctx.Err()
		})
	}
	const tasks = 8
	f.enqueue(t, tasks)
	for range 3 * tasks {
		var err error
		select {
		case err = <-failed[0]:
		case err = <-failed[1]:
		case <-time.After(patience):
			t.Fatal("nothing is refused")
		}
		var not *NotRunError
		if !errors.As(err, &not) || not.Type != "report" || !errors.Is(err, manager.ErrBusy) {
			t.Error(err)
		}
	}
	close(full)
	for range tasks {
		next(t, done)
	}
}

func TestATaskIsToldOfTheLossOfItsLockAndRunsAgain(t *testing.T) {
	f, m := newFarm(t), managertest.Memory(t)
	ended, again := make(chan error, 1), make(chan struct{})
	failed := f.serve(t, func(t *asynq.Task) (manager.Claim, bool) { return m.Lock(t.Type()), true },
		func(ctx context.Context, _ *asynq.Task) error {
			if n, _ := asynq.GetRetryCount(ctx); n > 0 {
				close(again)
				return nil
			}
			if err := m.Break(context.Background(), "report"); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		})
	f.enqueue(t, 1)
	for _, ch := range []<-chan error{ended, failed} {
		var lost *manager.LostError
		if err := next(t, ch); !errors.As(err, &lost) || lost.Reason != manager.Broken || !IsFailure(err) {
			t.Error(err)
		}
	}
	next(t, again)
}

func TestNoTaskRunsWhileTheStoreIsOutOfReach(t *testing.T) {
	f, s := newFarm(t), redistest.Start(t) // the locks have a server of their own
	m := managertest.Redis(t, s, s.Prefix())
	s.Kill()
	ran := make(chan struct{})
	failed := f.serve(t, func(t *asynq.Task) (manager.Claim, bool) { return m.Lock(t.Type()), true },
		func(context.Context, *asynq.Task) error {
			close(ran)
			return nil
		})
	f.enqueue(t, 1)
	for range 3 { // more than it has retries
		if err := next(t, failed); !errors.Is(err, manager.ErrUnavailable) || IsFailure(err) || len(ran) > 0 {
			t.Error(err)
		}
	}
	s.Restart(t)
	next(t, ran)
}

func TestTasksThatClaimNothingAndTasksThatNoRetryCanHelp(t *testing.T) {
	m := managertest.Memory(t)
	done := asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })
	for _, c := range []struct {
		claim   manager.Claim
		ok      bool
		invalid bool
	}{
		{ok: false}, {claim: m.Lock(""), ok: true, invalid: true}, {claim: m.Lock("a"), ok: true},
	} {
		limit, err := New(func(*asynq.Task) (manager.Claim, bool) { return c.claim, c.ok })
		if err != nil {
			t.Fatal(err)
		}
		err = limit(done).ProcessTask(t.Context(), asynq.NewTask("report", nil))
		if errors.Is(err, manager.ErrInvalid) != c.invalid || IsFailure(err) != c.invalid {
			t.Error(err)
		}
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	claim := func(*asynq.Task) (manager.Claim, bool) { return manager.Claim{}, false }
	for _, o := range []Option{{}, WithWait(-1)} {
		if _, err := New(claim, o); !errors.Is(err, manager.ErrInvalid) {
			t.Error(err)
		}
	}
	if _, err := New(nil); !errors.Is(err, manager.ErrInvalid) {
		t.Error(err)
	}
}

// Where nothing else is said, asynq's own delay counts for tasks that have failed.
func TestRetryDelayWithoutAnotherIsAsynqs(t *testing.T) {
	task := asynq.NewTask("report", nil)
	delay := RetryDelay(time.Second, nil)
	if d := delay(1, &NotRunError{Type: "report", Err: manager.ErrBusy}, task); d != time.Second {
		t.Errorf("not run: %v", d)
	}
	if d := delay(1, errors.New("failed"), task); d < 2*time.Second { // asynq's first is sixteen seconds and more
		t.Errorf("failed: %v", d)
	}
}
