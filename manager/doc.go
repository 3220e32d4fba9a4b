// Package manager hands out leases on named resources: locks, reader-writer locks and semaphores, across goroutines,
// processes or machines, depending on the backend beneath it.
//
//	m, err := manager.New(memory.New())
//	…
//	err = m.Lock("invoice/4711").Do(ctx, func(ctx context.Context) error {
//		return send(ctx) // ctx ends if the lease is lost
//	})
//
// A [Claim] says what is wanted; [Claim.Acquire] waits for it and returns a [Lease], which has a fencing token, a context that ends
// when the lease does, and a Release. [Claim.Do] does all three steps; [Manager.Lead] does them again after each loss.
//
// # What holds
//
//   - Exclusion. Never more permits are out than there are, among holders who look at [Lease.Valid] or [Lease.Context]. Where leases
//     expire, this rests on clocks that run at about the same rate and on the store keeping its data; where it does not, tokens protect.
//   - Fencing. Tokens of one name strictly increase from grant to grant, for hand-offs inside a process too.
//   - Fairness. Among the waiters of a process, and among processes: first come, first served; nobody overtakes a waiter, TryAcquire
//     included. Between processes a resource may stay in one for a bounded while: see [WithLocalHandoffs].
//   - Cancellation. An error means that nothing is held. If grant and cancel meet, one of them wins, and the caller is told which.
//   - Loss. A holder is told a stop margin before anybody else can be granted the resource, by its own clock, whatever the store
//     or the network does. Once lost, always lost.
//   - Nothing left behind. A lease that the program has dropped is released, see [Lease]. A name
//     costs nothing soon after its last use. No goroutine waits for work.
//
// # The keeper
//
// Each live name has a keeper, an actor that exists from the name's first use until soon after its last. Callers of
// this process queue in it; one request stands before the store for all of them.
//
//	┌─────────┐ acquire  ┌────────┐  store grants   ┌──────┐
//	│ nowhere │ ───────► │ queued │ ──────────────► │ held │ ◄─┐
//	└─────────┘          └────────┘                 └──────┘   │ hand-off to the next in the queue,
//	     ▲                   │ cancel                  │  │    │ with the next token
//	     │ ◄─────────────────┘                         │  └────┘
//	     │            release: back to the store       │
//	     │ ◄───────────────────────────────────────────┤
//	     │                                             │ lost
//	     │    released, or the stop margin is over     ▼
//	     │ ◄────────────────────────────────────── ┌───────┐
//	                                               │ stray │
//	                                               └───────┘
//
// A grant of the whole resource (a mutex, a writer, all permits) may be handed from waiter to waiter inside the process
// without asking the store. Each gets a token of its own from a block that the store has reserved with the grant or a renewal. So
// tokens can run ahead of the store's clock in microseconds, by the unused rest of a block (at most 4096), and by more
// only if a name sees more than a million grants a second for long. That matters only if the store then loses its data and comes back within
// that time. Shared grants (a reader, some of the permits) are asked of the store one by one: only then do
// tokens increase over the holders of all processes.
//
// A grant is handed on, or given to a waiter at all, only if it is valid for the minimum hold ([WithMinHold], by default a tenth of the TTL)
// beyond the moment at which its holder would have to stop.
//
// # A lease that expires
//
// Times are counted from before the request was sent, on the monotonic clock; an expiry by the wall clock counts as well, since the monotonic one stands still
// while a machine is suspended. With the defaults and a TTL of 10 s:
//
//	0 s     2.5…3.3 s   renewal is sent, with all others that are due, and again after each failure
//	├──────────┼──────────────────────┬────────────┬─────┤
//	                             8.2 s │      9.9 s │  10 s  the store may grant it to others
//	                                   │            └ nothing is relied on any more; what the store may still keep is given back
//	                                   └ the holder is told: context, Valid, Err
//
// A store may make a grant valid for less at first: as long as the stop margin and the minimum hold at least. Then it is renewed
// sooner, after a quarter of what goes beyond them, unless it has gone back before.
//
// A holder that has lost the resource and does not release is a stray. Until it has released, or the stop margin ([WithStopMargin]) has
// passed, nobody in this process is granted the resource; afterwards only under a new grant of the store, with a larger token. Other processes cannot know;
// for them the token is the protection.
//
// # Fenced writes
//
// A holder that was paused does not know that its lease has gone to another. What it writes to can know: it keeps the largest token that
// it has seen, and refuses smaller ones. In a database the comparison belongs into the statement that writes (PostgreSQL, SQLite):
//
//	CREATE TABLE report (id text PRIMARY KEY, body text NOT NULL, fence bigint NOT NULL);
//
//	INSERT INTO report (id, body, fence) VALUES ($1, $2, $3)
//	ON CONFLICT (id) DO UPDATE SET body = excluded.body, fence = excluded.fence WHERE report.fence <= excluded.fence;
//
// If no row was changed, a later holder has written: stop. A transaction of several statements begins by moving the fence of the
// name, and is rolled back if that changes no row:
//
//	CREATE TABLE fence (name text PRIMARY KEY, token bigint NOT NULL);
//
//	INSERT INTO fence (name, token) VALUES ($1, $2)
//	ON CONFLICT (name) DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token;
//
// The row stays locked until the transaction ends, so a later holder's first statement waits for it, and then wins. Tokens fit into
// a signed 64-bit column. Compare them within one name only.
//
// # Owners
//
// The context of a lease, and the one that Do passes to its function, name the owner of the lease.
// An Acquire with such a context is nested: its owner counts as waiting until it returns. A nested
// Acquire of the same name fails at once with ErrDeadlock, or re-enters if the claim is
// [Claim.Reentrant]. An owner may take more permits of a semaphore, up to its capacity.
//
// A nested Acquire that would wait for ever fails with a [DeadlockError], which names the cycle:
// the Acquire waits for owners that wait in turn, in the end for its own. The check covers locks,
// readers, writers, permits of any weight, the parts of an All, and places in a queue: a reader
// that reads again behind a writer waits for itself. Only the wait that closes the cycle fails. A
// holder that may still release is never part of a cycle: it does not wait, or waits without its
// context, or belongs to another Manager or process. The deadline of a context and the limit of a lease
// ([HoldAtMost]) do not count as a release: a cycle that only they would end is a deadlock.
//
// # Design notes
//
// The keeper's turn runs on the goroutine of its caller when the keeper is at rest, so an uncontended acquire from the memory
// backend costs no goroutine switch, two allocations, and one clock reading each for acquire and release.
//
// The same goroutine asks a store over a network, by a try, as long as the answer is likely to be a grant, and sends the release: with
// a switch to a task and back a lock would cost twice as much. It does not wait in the store's queue, since others may come to wait for the same
// grant: a task does. A try that was in vain is one command more, so after one the keeper asks by a task for a while.
//
// A store that keeps nobody waiting for its answer ([backends.Poster]) gets its requests by post: the caller sends it, granted or not, and
// goes to sleep in the keeper like all others. When a grant goes back although others of this process wait, because other processes
// do too, the same request asks for them: one command less in each such turn.
//
// One timer a keeper, not one a lease; it is not moved when a lease is renewed or released, but looks when it fires whether there is anything
// to do. A name taken and released a thousand times a second sets one timer in a TTL.
//
// Release waits for the store's answer, because a caller may rely on the resource being free in all processes after it; a hand-off waits for
// nothing.
//
// The directory of keepers is an index under sharded mutexes: see directory.go for why it is no actor.
package manager
