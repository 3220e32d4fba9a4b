// Package primitives provides the locks of one process: [Mutex], [RWMutex], [Semaphore] and others.
//
// They do what [sync.Mutex], [sync.RWMutex] and golang.org/x/sync/semaphore do, and besides:
//
//   - Every wait takes a context. When it ends, the wait ends, with nothing held and nothing left
//     in the queue.
//   - They are strictly fair. Permits are granted in the order of arrival. Nothing overtakes a
//     waiter, the Try methods included. Large requests and writers are not starved.
//   - While nothing waits they cost what the standard library's do: a compare-and-swap to acquire
//     and one to release. A lock at rest is at most 64 bytes of plain data: no goroutine, nothing
//     to close, nothing to leak.
//
// # Which one
//
//	one holder                                    Mutex
//	one holder for each user, file or order       KeyedMutex; readers or a writer: KeyedRWMutex
//	many readers or one writer                    RWMutex; to read first and then perhaps write
//	                                              what was read: its UpgradeLock
//	up to n holders, or shares of a budget        Semaphore
//	a condition that others bring about           Cond, on a Mutex
//	until n things are done, once                 Latch
//	until all parties are there, again and again  Barrier
//	until a flag is set, which may be reset       Event
//	no context, no fairness, shortest sections    sync.Mutex: a running goroutine may take the lock
//	                                              before those that sleep, which is faster
//	several processes or machines                 package manager
//
// # Rules
//
// A lock must not be copied after first use. No lock is re-entrant: a second acquire by its holder
// waits until its context ends. Two goroutines that take two locks in different orders deadlock,
// likewise until a context ends. Unlocking what is not locked panics.
//
// An acquire fails when its context ends; [errors.Is] then finds ctx.Err() in the error, and the
// context's cause if it has one. A context that is already done loses, even to a free lock. More
// permits than there are fail with [ErrTooLarge], and every wait at a broken [Barrier] fails with
// [ErrBroken]. A nil context is an error. A negative number of permits panics.
//
// The zero values of [Mutex], [RWMutex], [KeyedMutex], [KeyedRWMutex] and [Event] are ready for use.
// A zero [Semaphore] has no permits. The methods of a zero [Cond], [Barrier] or [Latch] panic, and so do
// the methods of a nil pointer.
//
// What a holder does before it releases happens before the acquire of the next holder returns.
//
// # Tests
//
// In a [testing/synctest] bubble a waiting acquire is durably blocked. A lock may be used in one
// bubble after another, and outside before and after them. The runtime ends the program if a lock
// is contended in a bubble and outside at the same time, or in two bubbles, as it does for a
// channel. A channel that C returns belongs to the bubble of the call.
//
// docs/internals/primitives.md says how the locks work, and which designs were rejected.
package primitives
