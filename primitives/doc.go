// Package primitives has the locks of one process: [Mutex], [RWMutex] and [Semaphore].
//
// They do what [sync.Mutex], [sync.RWMutex] and golang.org/x/sync/semaphore do, and besides:
//
//   - Whoever waits can give up. Every wait takes a context; when it ends, so does the wait, with
//     nothing held and nothing left in the queue.
//   - They are strictly fair. Permits are granted in the order of arrival; nobody overtakes
//     a waiter, the Try methods included; large requests and writers are not starved.
//   - While nobody waits they cost what the standard library's do: a compare-and-swap to
//     acquire and one to release. A lock at rest is at most 64 bytes of plain data: no goroutine,
//     nothing to close, nothing to leak.
//
// # Which one
//
//	one holder                                    Mutex
//	one holder for each user, file or order       KeyedMutex
//	many readers or one writer                    RWMutex; to read first and then perhaps write
//	                                              what was read: its UpgradeLock
//	up to n holders, or shares of a budget        Semaphore
//	a condition that others bring about           Cond, on a Mutex
//	until n things are done, once                 Latch
//	until all parties are there, again and again  Barrier
//	until a flag is set, which may be reset       Event
//	no context, no fairness, shortest sections    sync.Mutex: a goroutine that runs may take the
//	                                              lock before those that sleep, which is faster
//	several processes or machines                 package manager
//
// # Rules for users
//
// A lock must not be copied after first use. None is re-entrant: who locks a second time what
// it holds waits for itself, until its context ends. Two locks taken in different orders by
// two goroutines are a deadlock, which likewise lasts until a context ends.
// Unlocking what is not locked is a mistake in the program, and panics.
//
// An error of an acquire is either the end of its context (then [errors.Is] finds ctx.Err() in it,
// and also the cause, if there is one) or [ErrTooLarge]. A nil context is refused with an error
// too. A negative number of permits is a mistake, and panics. A [Barrier] that somebody has given
// up is [ErrBroken] for all its parties.
//
// In a [testing/synctest] bubble a waiting acquire is durably blocked.
//
// # How it works
//
// A mutex is a semaphore of one; a writer takes all permits of a reader-writer lock. So one
// gate stands behind all three: a word, and a queue. The word has the permits in use and two
// flags. As long as no flag is set, acquire and release are one compare-and-swap of it each.
//
//	   acquire, release: compare-and-swap
//	    ┌──────┐
//	    ▼      │
//	┌──────────────┐  a waiter posts: push, then flags   ┌───────────────────┐
//	│     open     │ ──────────────────────────────────► │      queued       │
//	│  no flag set │                                     │ only the keeper's │
//	│              │ ◄────────────────────────────────── │ turn gives permits│
//	└──────────────┘  goHome: nobody left, no mail       └───────────────────┘
//	                                                       ▲               │
//	                                                       └───────────────┘
//	                                            release, cancel, arrival that fits: a turn
//
// Once somebody waits, the gate's keeper decides everything: it is an actor, which owns the
// line of waiters. Its mail is an inbox that anybody pushes to, in one compare-and-swap:
// waiters, and messages that a waiter wants to leave, that a Try wants an answer, that the size
// is to change. It handles them one turn at a time.
//
// A turn needs a goroutine only for moments, so mostly it is lent one: whoever releases, cancels or
// arrives takes the turn if nobody has it, does the keeper's work, and wakes those who were
// granted after the turn is over. In a crowd a mutex so goes from hand to hand without the
// word changing at all. Only if two callers meet at a gate too often is the keeper's own
// goroutine started, which goes home when there is no mail.
//
// To cancel is to ask the keeper to leave: it answers that the waiter is gone, or that it had been
// granted before, and then the waiter passes the permits on. So there is no race between
// grant and cancel that anybody would have to win: the keeper's turn orders them. The
// end of the context is preferred in every tie over a lock, so nil means that ctx was not done
// after the grant. [Cond.Wait] and [Barrier.Wait] decide their ties otherwise, and say how.
//
// The protocol is model-checked (model/gate.pml, which names the steps that the comments here
// call "model: …"), with mistakes that are easy to make as mutants, which it catches. A
// stress test makes the same mistakes in the Go code, and catches them too. It has readers
// that enter and leave by additions, and the upgrade of a reader.
//
// # Design notes
//
//   - The keeper might run on its own goroutine only, and name successors in advance. Measured,
//     the switches to it cost more than the turns that a releaser runs itself.
//   - The mail flag exists for the way home: the keeper may clear queued only if no waiter has
//     posted since it looked. With queued alone a newcomer could slip in between
//     a waiter's post and the keeper's second look. It costs one bit, and the
//     phantoms of readers another, hence 2^61-1 permits.
//   - Cancel by compare-and-swap on the waiter, racing the grant, was given up for cancel by
//     message: it saves an atomic operation per grant, and dead waiters in the queue.
//   - Waiters are pooled, with their channels, but not in a synctest bubble: a channel made
//     there must not be used elsewhere. Nor is one that was granted while its message that it
//     wants to leave was on its way: whoever had it next, at another gate, would be taken for it.
//   - Acquires spin for about the length of a goroutine switch before they queue, and only
//     while nobody is queued, so that spinning is never overtaking.
//   - What is left of the cost. Uncontended: two compare-and-swaps, and a look at the context through
//     its interface. Contended: profiles give more than four fifths of a hand-over to
//     the runtime, namely the select on the waiter's channel and on that of its context, the
//     send that ends it, and the switch of goroutines. Every wait that can be given up has
//     those; a channel of one has them too, and its wakers and waiters share
//     one channel, where each waiter here has its own, which is a few cache lines more.
//     The rest is the gate's: a swap to enter the inbox, two to take and leave the turn, one
//     that fails in Unlock, and a waiter from the pool and back.
//   - Lock is a call of the gate's acquire, which does everything up to the select itself, and from
//     the first step on: after a switch of goroutines the processor predicts no return
//     rightly, so each function between the select and the caller costs some nanoseconds
//     more than it does elsewhere. With two more of them a hand-over took 4 to 9 in a hundred longer.
//   - A context whose Done is nil, such as context.Background(), saves the select.
//   - Readers add where others compare and swap. To look and then to swap makes a processor fetch
//     the word twice, and a swap that fails is made again: with a reader on each of two
//     cores that took 2.5 times as long as with sync.RWMutex, additions 1.3 times. The price is that a
//     reader may have to take back what it added. Readers counted on cache lines of their own
//     would not disturb each other at all, but the last one to leave could not be told, so the
//     memory would stay until the next writer, and a mistaken RUnlock would go unnoticed.
//   - To let others run once (runtime.Gosched) before a waiter parks finds the grant ready on return in
//     a crowd of eight, a quarter faster, and is a third slower with a thousand. It was left out
//     because on busy processors the goroutine that has been granted stands at the end of the
//     run queue, where nobody hurries it.
//   - To look at the word before the swap in Unlock saves a crowd the swap that fails, but
//     makes Unlock too large to be inlined, which everybody else would pay for.
//   - A waiter weighs 32 bytes, its channel 112, and a select on two channels 112 more
//     than a receive from one, whoever selects: 256 in all. A million of them show some 60 more:
//     the few whose allocations go deep into the runtime outgrow their first stack there. One
//     channel for all who wait at a gate would save most of what is ours, but it serves them in the order
//     in which they fall asleep, and cannot tell a writer from a reader.
//   - A cancel costs the same however long the queue is, if its waiter is in the processor's
//     caches. One that has stood in a queue of 100 000 is not, with its goroutine and channel,
//     which makes it several times as much, here as with any lock.
package primitives
