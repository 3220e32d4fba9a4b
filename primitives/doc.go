// Package primitives has the locks of one process: [Mutex], [RWMutex] and [Semaphore].
//
// They do what [sync.Mutex], [sync.RWMutex] and golang.org/x/sync/semaphore do, and besides:
//
//   - Whoever waits can give up. Every wait takes a context; when it ends, so does the wait, with
//     nothing held and nothing left in the queue.
//   - They are strictly fair. Permits are granted in the order of arrival: nobody who comes later
//     overtakes one that sleeps in the queue, the Try methods included; large requests and writers are not starved.
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
// The zero values of [Mutex], [RWMutex], [KeyedMutex] and [Event] are ready for use. A zero
// [Semaphore] has no permits. The methods of a zero [Cond], [Barrier] or [Latch] panic, and so does
// every method of a nil pointer.
//
// In a [testing/synctest] bubble a waiting acquire is durably blocked. A lock may be used in one
// bubble after another, and outside before and after them. If it is contended in a bubble and
// outside at the same time, or in two bubbles, the runtime ends the program, as for a channel. A
// channel that C returns belongs to the bubble of the call.
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
// granted after the turn is over. Only if two callers meet at a gate too often is the keeper's own
// goroutine started, which goes home when there is no mail.
//
// Those who want all permits, for a mutex or to write, wait in batches: who comes next to another that
// wants the same mostly joins it, and they sleep on one channel, whose receivers the runtime wakes in the order in which
// they fell asleep. The keeper nominates the batch at the front of the line. Then
// whoever releases hands over to a member directly, in one swap of the word that counts them and one send; the
// last one takes a turn. Whoever comes joins in one swap, as long as nobody else stands behind. In a crowd a mutex so goes from hand
// to hand without a turn, without the word of the gate changing, and without an allocation.
//
// Who has a waiter of its own asks the keeper to leave: it answers that the waiter is gone, or that it had
// been granted before, and then the waiter passes the permits on. So there is no race between
// grant and cancel that anybody would have to win: the keeper's turn orders them. A member of a batch
// counts itself out, by a swap of the word of which those who call swap theirs; if all who are left
// have been called, there is a token for it, and it passes that on. The end of the context is
// preferred in every tie over a lock, so nil means that ctx was not done after the grant. [Cond.Wait]
// and [Barrier.Wait] decide their ties otherwise, and say how.
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
//     a waiter's post and the keeper's second look. It costs one bit, the
//     phantoms of readers another, and beside its permits a request says its kind: hence 2^60-1 permits.
//     A semaphore has one permit less, see fits.
//   - Where each has a waiter of its own, cancel by compare-and-swap on it, racing the grant, was given up for
//     cancel by message: it saves an atomic operation per grant, and dead waiters in the queue.
//   - Waiters are pooled, with their channels, but not in a synctest bubble, see get. Nor is a
//     waiter pooled that was granted while its cancellation was on its way: its next user, at
//     another gate, would be taken for it.
//   - Acquires spin for about the length of a goroutine switch before they queue, and only
//     while nobody is queued, so that spinning is never overtaking.
//   - What is left of the cost. Uncontended: two compare-and-swaps, and a look at the context through
//     its interface. Contended: profiles give more than four fifths of a hand-over to
//     the runtime, namely the select on the waiter's channel and on that of its context, the
//     send that ends it, and the switch of goroutines. Every wait that can be given up has
//     those; a channel of one has them too. The rest is the gate's: a swap to join the batch, one to call a member,
//     one of the member that comes, and one that fails in Unlock, of some 5 ns each; two looks at the context; and one
//     function more between the select and the caller. A semaphore and a reader, each with a
//     waiter and a channel of its own, pay for a turn and the pool besides, and for more cache lines.
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
//   - Members of a batch are granted in the order in which they fall asleep, not in that of the swaps by which they
//     joined: one that is preempted in between may find another before it, which nobody can
//     tell from its having come later. That receivers of a channel are served in their order is what the runtime
//     does and tests here look at, not what the language promises; the batch itself would work without it.
//     Waiters that differ must have their places: a reader, a semaphore's acquire, one that was woken by a Cond
//     each have a channel of their own.
//   - A select on two channels weighs 112 bytes more than a receive from one, whoever selects, and some
//     goroutines outgrow their first stack on the way there: that is all that a million
//     who wait for a mutex weigh, some 170 bytes each. Where each has a waiter of its own, of 48 bytes, and a channel,
//     of 112, it is twice as much.
//   - A batch might count those who come in the gate's word, and spare the swap in Unlock that fails. A
//     hint beside the word, that the lock has been handed over, spares it too: it was tried, and on two processors nothing was seen of it.
//   - To leave a batch is one swap while others wait in it. The last one sends a message, which takes a turn, and its
//     batch of 160 bytes is not reused: nobody keeps track of when that message has been read.
//   - A cancel costs the same however long the queue is, if its waiter is in the processor's
//     caches. One that has stood in a queue of 100 000 is not, with its goroutine and channel,
//     which makes it several times as much, here as with any lock.
package primitives
