package lkgocron

import (
	"context"
	"testing"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
)

const patience = 2 * time.Minute

// schedule starts a scheduler whose only job runs at once, under the name. It returns the errors of
// its lock.
func schedule(t *testing.T, with gocron.SchedulerOption, name string, job func(context.Context) error) <-chan error {
	t.Helper()
	s, err := gocron.NewScheduler(with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	refused := make(chan error, 100)
	_, err = s.NewJob(gocron.OneTimeJob(gocron.OneTimeJobStartImmediately()), gocron.NewTask(job),
		gocron.WithName(name), gocron.WithEventListeners(
			gocron.AfterLockError(func(_ uuid.UUID, _ string, err error) { refused <- err })))
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	return refused
}

// next returns what comes first from ch.
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
