// Package lkcron runs jobs of robfig/cron v3 under locks of lockkeeper: a job that is due on many
// machines runs on one at a time.
//
//	skip := lkcron.SkipIfHeld(ctx, locks.Lock("report"), logger)
//	…
//	c.Schedule(schedule, cron.NewChain(cron.Recover(logger), skip).Then(lkcron.FuncJob(report)))
//
// [SkipIfHeld] and [DelayIfHeld] are what cron.SkipIfStillRunning and cron.DelayIfStillRunning are
// within a process.
//
// # When the lock is lost
//
// A lease can be lost while a job runs: it is broken, or its store is out of reach for longer than
// its time to live. Another machine may run the job then. A [Job] gets a context that ends before
// that, with a *manager.LostError as its cause. Other jobs run on; the logger hears of the loss when
// they have ended.
//
// The wrapper must stand last in its chain, next to the job: wrappers of cron hide from those before
// them that a job takes a context.
//
// # When the store is out of reach
//
// No job runs without its lock. The logger hears why.
package lkcron
