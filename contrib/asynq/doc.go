// Package lkasynq is middleware for asynq: tasks run under locks of lockkeeper, for instance at most
// five of a type on all servers.
//
//	limit, err := lkasynq.New(func(t *asynq.Task) (manager.Claim, bool) {
//		return locks.Semaphore("task/"+t.Type(), 5).Permits(1), t.Type() == "report"
//	})
//	…
//	mux.Use(limit)
//	server := asynq.NewServer(redis, asynq.Config{
//		IsFailure:      lkasynq.IsFailure,
//		RetryDelayFunc: lkasynq.RetryDelay(5*time.Second, asynq.DefaultRetryDelayFunc),
//	})
//
// # When a task has to wait
//
// A task that finds its claim busy does not run. Its error is a [*NotRunError], and asynq retries it
// later. With [IsFailure] that uses up none of its retries; [RetryDelay] says when. Only a task that
// has no retry left, or never had one (asynq.MaxRetry(0)), is archived by asynq. [WithWait] has a
// task wait for a while before; it takes up one of the server's workers meanwhile.
//
// The same happens if the store of the locks is out of reach: no task runs without its claim. An
// error that no retry can mend, of a bad name for instance, counts as a failure of the task.
//
// # When the lock is lost
//
// The context of the task ends when its lease is lost, with a *manager.LostError as its cause.
// [manager.LeaseFrom] finds the lease and its fencing token. The *manager.LostError is joined to the
// error of the handler, so the task fails, and asynq runs it again: it may have been done in part.
package lkasynq
