package lkriver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/lockkeeper/lockkeeper/internal/managertest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

const patience = 2 * time.Minute

// report is a job that has one attempt, or two.
type report struct {
	Attempts int `json:"attempts"`
}

func (report) Kind() string                   { return "report" }
func (r report) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: r.Attempts} }

// farm is clients of River that share a database.
type farm struct{ driver *riverpgxv5.Driver }

func newFarm(t *testing.T) farm {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), database.Get(t).Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	f := farm{riverpgxv5.New(pool)}
	quiet := &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}
	migrator, err := rivermigrate.New(f.driver, quiet)
	if err == nil {
		_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// atOnce is the policy of a farm whose jobs are retried at once.
type atOnce struct{}

func (atOnce) NextRetry(*rivertype.JobRow) time.Time { return time.Now() }

type (
	claimer = func(*rivertype.JobRow) (manager.Claim, bool)
	worker  = func(context.Context, *river.Job[report]) error
)

// byKind claims the lock with the name of the job's kind.
func byKind(m *manager.Manager) claimer {
	return func(job *rivertype.JobRow) (manager.Claim, bool) { return m.Lock(job.Kind), true }
}

// serve runs a client with four workers until the end of the test. It tells what becomes of jobs.
func (f farm) serve(t *testing.T, claim claimer, work worker) <-chan *river.Event {
	t.Helper()
	limit, err := New(claim, WithSnooze(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(work))
	c, err := river.NewClient(f.driver, &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		Workers: workers, Middleware: []rivertype.Middleware{limit},
		FetchCooldown: time.Millisecond, FetchPollInterval: 20 * time.Millisecond,
		RetryPolicy: atOnce{}, Logger: slog.New(slog.DiscardHandler), TestOnly: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	events, unsubscribe := c.Subscribe(
		river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobSnoozed)
	t.Cleanup(unsubscribe)
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return events
}

// insert makes n jobs with so many attempts.
func (f farm) insert(t *testing.T, n, attempts int) {
	t.Helper()
	c, err := river.NewClient(f.driver, &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	jobs := make([]river.InsertManyParams, n)
	for i := range jobs {
		jobs[i].Args = report{attempts}
	}
	if _, err := c.InsertMany(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
}

// next waits for an event of the kind. Jobs may be snoozed before.
func next(t *testing.T, events <-chan *river.Event, kind river.EventKind) *rivertype.JobRow {
	t.Helper()
	for end := time.After(patience); ; {
		select {
		case e := <-events:
			if e.Kind == kind {
				return e.Job
			}
			if e.Kind != river.EventKindJobSnoozed {
				t.Fatalf("%s: %v", e.Kind, e.Job.Errors)
			}
		case <-end:
			t.Fatalf("no %s after %v", kind, patience)
		}
	}
}

// Two clients with four workers each would run eight at a time. Each job has one attempt, and meets
// a busy semaphore more often.
func TestAtMostTwoJobsRunAtATimeOnAllClients(t *testing.T) {
	t.Parallel()
	f, prefix := newFarm(t), server.Get(t).Prefix()
	var running, ran atomic.Int64
	full := make(chan struct{})
	fill := sync.OnceFunc(func() { close(full) })
	var events [2]<-chan *river.Event
	for i := range events {
		m := managertest.Redis(t, server.Get(t), prefix)
		events[i] = f.serve(t, func(job *rivertype.JobRow) (manager.Claim, bool) {
			return m.Semaphore("job/"+job.Kind, 2).Permits(1), true
		}, func(ctx context.Context, _ *river.Job[report]) error {
			if n := running.Add(1); n > 2 {
				t.Errorf("%d at a time", n)
			}
			if ran.Add(1) <= 2 {
				<-full // until others were refused
			}
			running.Add(-1)
			return ctx.Err()
		})
	}
	t.Cleanup(fill) // before the clients stop
	const jobs = 8
	f.insert(t, jobs, 1)
	for snoozed, completed := 0, 0; completed < jobs; {
		var e *river.Event
		select {
		case e = <-events[0]:
		case e = <-events[1]:
		case <-time.After(patience):
			t.Fatalf("%d completed, snoozed %d times", completed, snoozed)
		}
		switch e.Kind {
		case river.EventKindJobCompleted:
			completed++
		case river.EventKindJobSnoozed:
			if snoozed++; snoozed == jobs {
				fill()
			}
		default:
			t.Fatalf("%s: %v", e.Kind, e.Job.Errors)
		}
	}
}

func TestAJobIsToldOfTheLossOfItsLockAndRunsAgain(t *testing.T) {
	t.Parallel()
	f, m := newFarm(t), managertest.Memory(t)
	ended := make(chan error, 1)
	events := f.serve(t, byKind(m), func(ctx context.Context, job *river.Job[report]) error {
		if job.Attempt > 1 {
			return nil
		}
		if err := m.Break(context.Background(), "report"); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil
	})
	f.insert(t, 1, 2)
	job := next(t, events, river.EventKindJobFailed)
	var lost *manager.LostError
	if err := <-ended; !errors.As(err, &lost) || lost.Reason != manager.Broken {
		t.Error(err)
	}
	if len(job.Errors) != 1 || job.Errors[0].Error != lost.Error() {
		t.Errorf("%v, want %v", job.Errors, lost)
	}
	next(t, events, river.EventKindJobCompleted)
}

func TestNoJobRunsWhileTheStoreIsOutOfReach(t *testing.T) {
	t.Parallel()
	f, s := newFarm(t), redistest.Start(t)
	m := managertest.Redis(t, s, s.Prefix())
	s.Kill()
	var ran atomic.Bool
	events := f.serve(t, byKind(m), func(context.Context, *river.Job[report]) error {
		ran.Store(true)
		return nil
	})
	f.insert(t, 1, 1)
	for range 3 { // more than it has attempts
		if next(t, events, river.EventKindJobSnoozed); ran.Load() {
			t.Error("it has run")
		}
	}
	s.Restart(t)
	next(t, events, river.EventKindJobCompleted)
}

func TestJobsThatClaimNothingAndJobsThatNoRetryCanHelp(t *testing.T) {
	m := managertest.Memory(t)
	l, err := m.Lock("busy").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	for _, c := range []struct {
		claim  manager.Claim
		ok     bool
		err    error
		snooze bool
	}{
		{ok: false},
		{claim: m.Lock("a"), ok: true},
		{claim: m.Lock(""), ok: true, err: manager.ErrInvalidName},
		{claim: m.Lock("busy"), ok: true, err: manager.ErrBusy, snooze: true},
	} {
		limit, err := New(func(*rivertype.JobRow) (manager.Claim, bool) { return c.claim, c.ok })
		if err != nil {
			t.Fatal(err)
		}
		job := &rivertype.JobRow{Kind: "report"}
		err = limit(t.Context(), job, func(context.Context) error { return nil })
		var not *NotRunError
		var snooze *river.JobSnoozeError
		if !errors.Is(err, c.err) || errors.As(err, &not) != c.snooze {
			t.Errorf("%v, want %v", err, c.err)
		}
		if errors.As(err, &snooze) != c.snooze ||
			c.snooze && (snooze.Duration != 5*time.Second || not.Kind != "report") {
			t.Errorf("snooze %v of %v", snooze, not)
		}
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	claim := func(*rivertype.JobRow) (manager.Claim, bool) { return manager.Claim{}, false }
	for _, o := range []Option{{}, WithWait(-1), WithSnooze(-1)} {
		if _, err := New(claim, o); !errors.Is(err, manager.ErrInvalid) {
			t.Error(err)
		}
	}
	if _, err := New(nil); !errors.Is(err, manager.ErrInvalid) {
		t.Error(err)
	}
}
