// Package lkriver is middleware for River: jobs run under locks of lockkeeper, for instance at most
// five of a kind on all machines.
//
//	limit, err := lkriver.New(func(job *rivertype.JobRow) (manager.Claim, bool) {
//		return locks.Semaphore("job/"+job.Kind, 5).Permits(1), job.Kind == "report"
//	})
//	…
//	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
//		Middleware: []rivertype.Middleware{limit},
//		…
//	})
//
// The function may look at the arguments, too, in job.EncodedArgs: at most one job for each
// customer, say.
//
// # When a job has to wait
//
// A job that finds its claim busy does not run. River snoozes it and tries it again after five
// seconds, or what [WithSnooze] says. That uses up no attempt, however often it happens. [WithWait]
// has a job wait for a while before; it takes up one of the client's workers meanwhile. Snoozed
// jobs have no order: any of those that are due may be next.
//
// The same happens if the store of the locks is out of reach: no job runs without its claim. An
// error that no retry can mend, of a bad name for instance, fails the attempt.
//
// # When the lock is lost
//
// The context of the job ends when its lease is lost, with a *manager.LostError as its cause.
// [manager.LeaseFrom] finds the lease and its fencing token. The *manager.LostError is joined to
// the error of the worker, so the attempt fails, and River runs the job again: it may have been
// done in part.
package lkriver
