// Package manager hands out leases on named resources: locks, reader-writer locks and semaphores,
// across goroutines, processes or machines, depending on the store beneath it.
//
//	m, err := manager.New(memory.New()) // or a file.Backend, or a redis.Backend
//	…
//	err = m.Lock("invoice/4711").Do(ctx, func(ctx context.Context) error {
//		return send(ctx) // ctx ends if the lease is lost
//	})
//
// A [Claim] says what is wanted. [Claim.Acquire] waits for it and returns a [Lease], which has a
// fencing token, a context that ends with the lease, and a Release. [Claim.Do] does all three
// steps; [Election.Lead] does them again after each loss. [Manager.All] claims several names, all or
// none. [HoldAtLeast] keeps a name taken for a time after its grant, even after the release: of many
// processes that start an hourly job, one runs it.
//
// # What holds
//
//   - Exclusion. Never more permits are out than there are, among holders that look at
//     [Lease.Valid] or [Lease.Context]. Where leases expire, this rests on clocks that run at about
//     the same rate, and on the store keeping its data. Where those fail, tokens protect.
//   - Fencing. The tokens of a name increase from grant to grant, whoever holds it.
//   - Fairness. First come, first served, in a process and among processes. Nothing overtakes a
//     waiter, TryAcquire included. Between processes a name may stay in one process for a bounded
//     while, see [WithLocalHandoffs], and after its last use, see [WithIdleHold].
//   - Cancellation. An error means that nothing is held. If grant and cancel meet, one of them
//     wins, and the caller is told which.
//   - Loss. A holder is told a stop margin before the resource can be granted to another, by the
//     holder's own clock, whatever the store or the network does. A lost lease stays lost.
//   - Nothing left behind. A lease that the program drops is released, see [Lease]. A name costs
//     nothing soon after its last use. No goroutine waits for work.
//
// # A lease that expires
//
// Times count from before the request was sent, on the monotonic clock. The wall clock counts too,
// since the monotonic clock stands still while a machine is suspended. With the defaults, TTL 10 s:
//
//	0 s     2.5…3.3 s  the lease is renewed, and again after each failure
//	├──────────┼──────────────────────┬────────────┬─────┤
//	                            8.2 s │      9.9 s │  10 s  the store may grant it to others
//	                                  │            └ the grant goes back, if the store still has it
//	                                  └ the holder is told: Context, Valid, Err
//
// A holder that does not release a lost lease holds up its own process for the stop margin at most
// ([WithStopMargin]). Other processes cannot know of it: for them the token is the protection.
//
// # Fenced writes
//
// A paused holder does not know that its lease has gone to another. The resource it writes to can
// know: it keeps the largest token it has seen, and refuses smaller ones. docs/fencing.md has the
// statements for databases and object stores. Tokens fit into a signed 64-bit column. Compare tokens of
// one name only.
//
// # From process to process
//
// [Lease.Detach] ends a lease and returns a [Ticket]. With it, [Manager.Adopt] continues the lease in
// another process under the same token. The resource is never free in between. All stores but
// files support this.
//
// # Owners and deadlocks
//
// The context of a lease, and the one that Do passes to its function, name the owner of the lease.
// An Acquire with such a context is nested. A nested Acquire of the same name re-enters if the
// claim is [Claim.Reentrant]; else it fails at once with ErrDeadlock. An owner may take more
// permits of a semaphore, up to its capacity.
//
// A nested Acquire that would wait for ever fails with a [DeadlockError], which names the cycle of
// owners that wait for each other. Only the wait that closes the cycle fails. The check covers
// locks, readers, writers, permits, parts of an All, and places in a queue, within one Manager. The
// deadline of a context and the limit of a lease ([HoldAtMost]) do not count as a release. An
// Acquire that is not nested never fails with ErrDeadlock.
//
// # See what the locks do
//
// [Manager.Stats] says who holds and who waits in this process, since when, and counts what
// happened; [WithHistory] keeps the counts of names out of use. [WithSites] adds the lines of code
// that hold and wait, to the errors of acquires too, see [HeldError]. [WithSlowLog] logs what takes
// long while it does. [WithProfiles] shows stacks in runtime/pprof. [WithTracer] calls a [Tracer]
// for each acquire.
//
// docs/internals/keeper.md says how the manager works, and which designs were rejected.
package manager
