// Package lkriver provides middleware for River: jobs run under locks of lockkeeper, for instance at
// most five of a kind on all machines.
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
// The function may read the arguments in job.EncodedArgs, for instance for at most one job of each
// customer.
//
// # When a job has to wait
//
// A job that finds its claim busy does not run. River snoozes it and tries it again after five
// seconds, or the time of [WithSnooze]. A snooze uses up no attempt, however often it happens. With
// [WithWait] a job waits for a while first, and takes up one of the client's workers meanwhile.
// Snoozed jobs have no order: any job that is due may be next.
//
// The same happens if the store of the locks is out of reach: no job runs without its claim. A
// permanent error, such as that of a bad name, fails the attempt.
//
// # When the lock is lost
//
// The context of the job ends when its lease is lost, with a *manager.LostError as its cause.
// [manager.LeaseFrom] returns the lease, and so the fencing token for writes. The *manager.LostError
// is joined to the error of the worker, so the attempt fails, and River runs the job again. The job
// may then have been done in part.
package lkriver
