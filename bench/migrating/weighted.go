package migrating

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/primitives"
)

func weightedBefore(ctx context.Context, s *semaphore.Weighted, work func() error) error {
	if err := s.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.Release(1)
	return work()
}

func weightedAfter(ctx context.Context, s *primitives.Semaphore, work func() error) error {
	if err := s.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.Release(1)
	return work()
}
