// Package lkgocron runs each job of gocron on one of many schedulers, under locks of lockkeeper.
//
//	locker, err := lkgocron.New(locks)
//	…
//	s, err := gocron.NewScheduler(gocron.WithDistributedLocker(locker))
//
// # Each job on its own: Locker
//
// A [Locker] tries the lock with the name of the job when the job is due. Where it is busy, gocron
// skips the run. Schedulers start a run at slightly different times: a job that takes less time than
// their clocks differ may be over on one before it is due on another, and run again. With an option of [New] the
// lock stays taken for as long as clocks may differ, and the job runs once:
//
//	locker, err := lkgocron.New(locks, manager.HoldAtLeast(30*time.Second)) // jobs once a minute
//
// # All jobs on a leader: Elector
//
// An [Elector] keeps a lock, and the jobs run where it is held. gocron asks it before each run. The
// first scheduler that is asked leads, until it resigns or loses the lock.
//
// # When the lock is lost
//
// A lease can be lost while a job runs: it is broken, or its store is out of reach for longer than
// its time to live. Another scheduler may run the job then. [Locker.Context] and [Elector.Context]
// give a job a context that ends before that, and the fencing token:
//
//	func report(ctx context.Context) error {
//		ctx = locker.Context(ctx)
//		token := manager.LeaseFrom(ctx).Token()
//		…
//	}
//
// # When the store is out of reach
//
// No job runs without a lock. A Locker's error is that of [manager.Claim.TryAcquire]: ErrBusy if
// the job runs elsewhere, ErrUnavailable if the store is out of reach, and so on. gocron passes it
// to the listener gocron.AfterLockError. It tells nobody of the error of an Elector; the manager
// counts it, see [manager.Manager.Stats].
package lkgocron
