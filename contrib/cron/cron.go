package lkcron

import (
	"context"
	"errors"

	"github.com/robfig/cron/v3"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/internal/nils"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A Job is a cron.Job that takes the context of its lock. Wrappers of this package call RunContext
// instead of Run.
type Job interface {
	cron.Job

	// RunContext is Run with a context. It ends when the wrapper's context does or the lock is lost.
	// manager.LeaseFrom finds the lease and its fencing token.
	RunContext(ctx context.Context)
}

// A FuncJob is a function that is a Job.
type FuncJob func(ctx context.Context)

var _ Job = FuncJob(nil)

// RunContext calls f.
func (f FuncJob) RunContext(ctx context.Context) { f(ctx) }

// Run calls f without a lock.
func (f FuncJob) Run() { f(context.Background()) }

// SkipIfHeld returns a wrapper that runs a job if the claim is free, and else skips the run. It logs
// skips at Info level, and why a job could not run or that its lock was lost as errors. When ctx
// ends, no job begins, and the contexts of those that run end.
//
// Machines begin a run at slightly different times: a job that takes less time than their clocks
// differ may be over on one before it is due on another, and run again. With the option
// [manager.HoldAtLeast] the claim stays taken for as long as clocks may differ, and the job runs once.
//
// SkipIfHeld panics if ctx or logger is nil.
func SkipIfHeld(
	ctx context.Context, c manager.Claim, logger cron.Logger, opts ...manager.AcquireOption,
) cron.JobWrapper {
	return wrapper(ctx, c, logger, hold.How{Options: opts})
}

// DelayIfHeld returns a wrapper that runs a job when it has its turn, first come, first served. The
// runs on all machines follow one another. It logs why a job could not run or that its lock was lost
// as errors. When ctx ends, waits end, no job begins, and the contexts of those that run end.
// DelayIfHeld panics if ctx or logger is nil.
func DelayIfHeld(
	ctx context.Context, c manager.Claim, logger cron.Logger, opts ...manager.AcquireOption,
) cron.JobWrapper {
	return wrapper(ctx, c, logger, hold.How{Wait: hold.Forever, Options: opts})
}

func wrapper(ctx context.Context, c manager.Claim, logger cron.Logger, how hold.How) cron.JobWrapper {
	switch {
	case ctx == nil:
		panic("lkcron: nil context")
	case nils.Is(logger):
		panic("lkcron: nil logger")
	}
	return func(j cron.Job) cron.Job {
		return cron.FuncJob(func() {
			ran, err := how.Do(ctx, c, func(ctx context.Context) error {
				if under, ok := j.(Job); ok {
					under.RunContext(ctx)
				} else {
					j.Run()
				}
				return nil
			})
			switch {
			case err == nil:
			case ran:
				logger.Error(err, "lost the lock during the job")
			case errors.Is(err, manager.ErrBusy):
				logger.Info("skip", "why", err)
			default:
				logger.Error(err, "skip")
			}
		})
	}
}
