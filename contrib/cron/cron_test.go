package lkcron

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

const patience = 2 * time.Minute

// logger passes on what it is told.
type logger struct {
	infos  chan []any
	errors chan error
}

func newLogger() *logger { return &logger{make(chan []any, 100), make(chan error, 100)} }

func (l *logger) Info(msg string, kvs ...any) {
	if slices.Contains([]string{"skip"}, msg) { // cron logs its own steps with the same logger
		l.infos <- kvs
	}
}

func (l *logger) Error(err error, _ string, _ ...any) { l.errors <- err }

// once is due immediately and then never again.
type once struct{ done atomic.Bool }

func (o *once) Next(now time.Time) time.Time {
	if o.done.Swap(true) {
		return time.Time{}
	}
	return now
}

// run has a cron of its own run the job at once, behind the wrapper. It has ended before the end of
// the test.
func run(t *testing.T, w cron.JobWrapper, j cron.Job) {
	t.Helper()
	c := cron.New(cron.WithLogger(cron.DiscardLogger))
	c.Schedule(&once{}, cron.NewChain(cron.Recover(cron.DiscardLogger), w).Then(j))
	c.Start()
	t.Cleanup(func() { <-c.Stop().Done() })
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

func TestOneMachineOfThreeRunsAJobAndTheOthersSkipIt(t *testing.T) {
	s := server.Get(t)
	prefix, log := s.Prefix(), newLogger()
	began, end := make(chan uint64, 3), make(chan struct{})
	for range 3 {
		m := managertest.Redis(t, s, prefix)
		run(t, SkipIfHeld(t.Context(), m.Lock("report"), log), FuncJob(func(ctx context.Context) {
			began <- manager.LeaseFrom(ctx).Token()
			<-end
		}))
	}
	for range 2 {
		next(t, log.infos)
	}
	if next(t, began) == 0 || len(began) != 0 || len(log.errors) != 0 {
		t.Errorf("%d more have run, %d errors", len(began), len(log.errors))
	}
	close(end)
}

func TestThreeMachinesRunAJobOneAfterAnother(t *testing.T) {
	s := server.Get(t)
	prefix, log := s.Prefix(), newLogger()
	var running atomic.Int32
	ended := make(chan struct{}, 3)
	for range 3 {
		m := managertest.Redis(t, s, prefix)
		run(t, DelayIfHeld(t.Context(), m.Lock("report"), log), cron.FuncJob(func() {
			if n := running.Add(1); n != 1 {
				t.Errorf("%d at a time", n)
			}
			running.Add(-1)
			ended <- struct{}{}
		}))
	}
	for range 3 {
		next(t, ended)
	}
	if len(log.errors) != 0 || len(log.infos) != 0 {
		t.Error("something was logged")
	}
}

func TestAJobIsToldOfTheLossOfItsLock(t *testing.T) {
	m, log := managertest.Memory(t), newLogger()
	ended := make(chan error, 1)
	run(t, SkipIfHeld(t.Context(), m.Lock("report"), log), FuncJob(func(ctx context.Context) {
		if err := m.Break(t.Context(), "report"); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
	}))
	for _, ch := range []<-chan error{ended, log.errors} {
		var lost *manager.LostError
		if err := next(t, ch); !errors.As(err, &lost) || lost.Reason != manager.Broken {
			t.Error(err)
		}
	}
}

func TestTheEndOfTheContextEndsJobsAndWaits(t *testing.T) {
	m, log := managertest.Memory(t), newLogger()
	ctx, cancel := context.WithCancel(t.Context())
	began, ended := make(chan struct{}), make(chan error, 1)
	run(t, DelayIfHeld(ctx, m.Lock("report"), log), FuncJob(func(ctx context.Context) {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
	}))
	next(t, began)
	run(t, DelayIfHeld(ctx, m.Lock("report"), log), FuncJob(func(context.Context) { t.Error("it runs") }))
	cancel()
	for _, ch := range []<-chan error{ended, log.errors} {
		if err := next(t, ch); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestNoJobRunsWhileTheStoreIsOutOfReach(t *testing.T) {
	s := redistest.Start(t)
	m := managertest.Redis(t, s, s.Prefix())
	s.Kill()
	for _, wrapper := range []func(
		context.Context, manager.Claim, cron.Logger, ...manager.AcquireOption,
	) cron.JobWrapper{SkipIfHeld, DelayIfHeld} {
		log := newLogger()
		run(t, wrapper(t.Context(), m.Lock("report"), log), FuncJob(func(context.Context) { t.Error("it runs") }))
		if err := next(t, log.errors); !errors.Is(err, manager.ErrUnavailable) {
			t.Error(err)
		}
	}
}

func TestAJobThatPanicsReleases(t *testing.T) {
	m, log := managertest.Memory(t), newLogger()
	panicked := make(chan struct{})
	run(t, SkipIfHeld(t.Context(), m.Lock("report"), log), cron.FuncJob(func() {
		close(panicked)
		panic("oh")
	}))
	next(t, panicked)
	l, err := m.Lock("report").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

// The second machine is due when the job has ended on the first.
func TestJobThatTakesNoTimeRunsOnceWhereClocksDiffer(t *testing.T) {
	s := server.Get(t)
	prefix, log := s.Prefix(), newLogger()
	ran := make(chan struct{}, 3)
	for i := range 3 {
		m := managertest.Redis(t, s, prefix)
		if i > 0 {
			managertest.AwaitReleased(t, m, "report")
		}
		skip := SkipIfHeld(t.Context(), m.Lock("report"), log, manager.HoldAtLeast(time.Hour))
		run(t, skip, FuncJob(func(context.Context) { ran <- struct{}{} }))
		if i == 0 {
			next(t, ran)
			continue
		}
		select {
		case <-log.infos:
		case <-ran:
			t.Fatal("the job has run again")
		}
	}
}

// A nil context or logger is told to the caller that passes it, and not by a panic at the first skip.
func TestNilArgumentsPanicAtOnce(t *testing.T) {
	m := managertest.Memory(t)
	var noContext context.Context
	var noLogger *logger
	type wrap func(context.Context, manager.Claim, cron.Logger, ...manager.AcquireOption) cron.JobWrapper
	for _, w := range []wrap{SkipIfHeld, DelayIfHeld} {
		for _, call := range []func(){
			func() { w(noContext, m.Lock("report"), newLogger()) },
			func() { w(t.Context(), m.Lock("report"), nil) },
			func() { w(t.Context(), m.Lock("report"), noLogger) },
		} {
			func() {
				defer func() {
					if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "lkcron: nil ") {
						t.Errorf("panicked with %q", s)
					}
				}()
				call()
			}()
		}
	}
}
