// Package actor is a small typed actor core: state that belongs to one goroutine, served
// message by message from a bounded mailbox. It is exact about every message, tells an
// asker at once when there will be no answer, and tells an actor when its asker has gone.
//
//	type add struct {
//		n     int
//		total actor.Reply[int]
//	}
//
//	system := actor.NewSystem()
//	counter, err := actor.Spawn(system, "counter", func(*actor.Self[add]) (actor.Behavior[add], error) {
//		total := 0 // owned by the actor
//		return actor.BehaviorFunc[add](func(_ context.Context, m add) error {
//			total += m.n
//			m.total.Send(total)
//			return nil
//		}), nil
//	})
//	total, err := actor.Ask(ctx, counter, func(r actor.Reply[int]) add { return add{5, r} })
//	err = system.Shutdown(ctx)
//
// # Which form
//
//	Spawn      a mailbox and a goroutine of its own, for as long as it lives: streams of
//	           messages, backpressure, children, supervision.
//	OnDemand   plain data at rest, a goroutine only while there is mail: many actors that
//	           mostly rest, and whose senders wait for answers.
//	Activity   the same for an actor whose mail lies in a structure of its own.
//
// # States of an actor
//
//	       sender         ┌─────────────┐
//	    ┌───────────────  │ passivating │ ─────────────┐ nobody sends
//	    ▼       idle ───► └─────────────┘              ▼
//	┌──────┐   Drain      ┌──────────┐   Stop     ┌──────────┐  handler   ┌──────┐
//	│ open │ ───────────► │ draining │ ─────────► │ stopping │ ─────────► │ dead │ ──► Done
//	└──────┘              └──────────┘            └──────────┘  returned  └──────┘
//	    │  Stop                │ all handled            ▲          ▲
//	    ├──────────────────────┼────────────────────────┘          │
//	    └── failure ───────────┴───────────────────────────────────┘
//
// An open actor takes messages. Draining and stopping ones refuse new ones; a draining actor
// handles what it has. A dead one handles nothing; it makes dead letters of what
// is left, ends its children, newest first, waits for its tasks, and then closes Done. A
// failure under [Restart] leads back to open (or draining) with the same mailbox.
//
// # Semantics
//
// Each row is shown by the test named.
//
//	mailbox full            Tell waits for room, TryTell gives ErrMailboxFull
//	                        TestTellWaitsForRoom, TestTryTellRefusesWhenFull, TestMailboxFlood
//	ctx done before         nothing is sent, also to an empty mailbox
//	                        TestContextAlreadyDoneLoses
//	ctx done, no room yet   nothing was sent
//	                        TestTellGivesUpWithItsContext
//	ctx done, ask queued    ctx error; never handled, a dead letter
//	                        TestAskCancelledInTheQueueIsNotHandled
//	ctx done, ask deferred  ctx error; onCancel runs, past a full mailbox
//	                        TestCancelOfADeferredAskPassesAFullMailbox
//	cancel races reply      one of them wins for both sides
//	                        TestReplyOrCancelIsExact, TestNoGrantIsLostWhenDeferredAsksAreCancelled
//	reply first, ctx done   the asker gets the reply
//	                        TestAnAnswerThatCameFirstIsKeptAlthoughTheContextIsDone
//	asker has gone          Send reports false and never blocks
//	                        TestReplyAfterTheAskerHasGone
//	no answer               ErrNoReply when the handler returns
//	error, panic, Goexit    the ask fails at once with the error, a *PanicError, ErrNoReply
//	                        TestAskFailsAtOnceWhenTheHandlerDoes
//	                        and the actor fails: TestAnActorThatFailsStops
//	stop with a queue       dead letters; queued asks fail with ErrStopped
//	                        TestStopMakesDeadLettersOfTheQueue, TestQueuedAsksFailAtStop
//	stop, senders waiting   refused while the handler still runs
//	                        TestStopFreesSendersWaitingForRoom
//	stop during a drain     reaches the children that are still being drained
//	                        TestStopReachesChildrenThatAreBeingDrained
//	drain                   all that was told before is handled, tasks included
//	                        TestDrainHandlesWhatWasTold, TestDrainWaitsForTasksAndTheirResults,
//	                        but for no timer: TestADrainAnswersSignalsButWaitsForNoTimer
//	send after stop         ErrStopped, with the failure if there was one
//	                        TestSendAfterStop
//	idleness races a send   the actor stays, or the sender is refused; nothing is lost
//	                        TestIdleTimeoutLosesNoMessage
//	watch of a dead actor   told at once
//	                        TestWatchOfADeadActor, TestWatchRacingTheEnd
//	timer stopped late      its message is not handled, though its time has come
//	                        TestTimerStoppedLate, TestOnDemandTimerStoppedLate
//	blocked handler at      its context is cancelled; Shutdown returns with ctx and names it
//	shutdown                TestShutdownWithABlockedHandler
//	panic, Goexit in a hook logged, goes no further
//	                        TestAPanicInAHookGoesNoFurther
//	a handler asks itself   told so at once, if it uses its own context; through others it waits
//	                        until a context ends
//	                        TestAHandlerThatAsksItselfIsToldSo
//	a nil context           an error; nothing was sent, nobody was stopped
//	                        TestNilContextIsRefused
//	timers or tasks         the mailbox is served between them
//	without end             TestWhatGoesAheadOfTheMailboxDoesNotKeepItWaiting
//	failure and restart     nothing of an earlier life reaches the next: no timer, task, watch, cancelled
//	                        ask or child's failure
//	                        TestRestartEndsWhatTheOldLifeBegan, TestOnCancelEndsWithItsLife,
//	                        TestALaterLifeDoesNotFailWithAnEarlierOnesChildren,
//	                        TestAChildThatFailsWithItsParentFailsNoLaterLife
//	failure escalated       known to Shutdown, whenever that comes
//	                        TestAnEscalatedFailureIsKnownWhenTheActorIsDone,
//	                        TestShutdownMissesNoActorThatIsAboutToEnd
//	task panics too late    logged
//	                        TestATaskThatPanicsAfterTheEndIsLogged
//	reply given away before the answer reaches the asker, also if the message was refused
//	the ask                 TestAReplyGivenAwayBeforeTheAskIsRefused
//	accounts                accepted = handled + dead letters
//	                        TestTellsAreConservedExactly, TestAcceptedIsHandledPlusDeadLetters
//	starved scheduler       nothing spins; everything comes through
//	                        TestAStarvedSchedulerHoldsNothingUp
//	all of this at once     TestRandomSequences, FuzzSequences
//
// A Tell that runs at the same time as Stop or Drain may return nil and become a dead letter.
//
// # Order and memory
//
// The messages of one sender are handled in the order sent. What is done before a Tell, Ask
// or Wake happens before its handling, each handling happens before the next one, and what is
// done before an answer is sent happens before Ask returns. What goes beside the mailbox (timers, task
// results, watches, cancelled asks) goes ahead of it, in its own order; but what comes meanwhile waits
// until a message or wake-up has been taken from the mailbox.
//
// # Tests
//
// An actor belongs to the testing/synctest bubble in which it was spawned, or is outside all
// bubbles. An actor outside takes messages from a bubble, but no caller there can wait for it: Ask,
// and Tell at a full mailbox, return an error, and Watch panics. A bubble ends when all its actors
// have ended; a Ref to one of them may be used anywhere afterwards, as for any actor that has
// ended. An [OnDemand], an [Activity] and a [System] belong to no bubble.
//
// # Design notes
//
// One channel, one receive. Control signals lie in a list beside the mailbox. Posting one
// also puts a nudge into the mailbox, without waiting; if it is full, the actor is not
// asleep. So a full mailbox blocks no signal, and a message costs no select over two channels.
//
// The mailbox is never closed. An actor that ends first says so and then empties it; a sender
// first fills it and then looks: one of the two finds the message. This costs a sender one
// atomic load, and is what makes the accounts exact.
//
// Reply slots are pooled for each actor, not globally. A slot holds a channel, and a channel made
// inside a testing/synctest bubble must not be used outside it; an actor belongs to one bubble.
// A cancelled slot is given to the garbage collector, since its message may still be queued.
//
// What is left of the price: a Tell costs 1.2 times a bare channel send that cannot be cancelled (0.7 times one that can), an Ask 1.1 to 1.2 times a
// request by two such sends. More than half of a Tell is the channel's lock, which the bare send takes as often; the rest is the select over three
// channels when the mailbox is full, and an envelope that is a pointer larger than its message. In an Ask it is the select that waits for
// the answer or the context. Spawn, Stop and Done cost 1.2 to 1.4 times a bare goroutine with its channels: a third of that is
// allocation, so what most actors never use (timers, tasks, deferred asks, watches, children, restarts) is made
// when one first does.
//
// Rejected: freeing senders that wait for room, at Stop, by emptying the mailbox, and not by one more channel in their select.
// It makes a Tell 4 % cheaper, but what it has sent by then is a dead letter, where now it is told ErrStopped.
//
// Rejected: a lock-free ring in place of the channel. Alone it is a third faster, but an actor that waits then needs a second channel to be woken by,
// which makes asks and spawns dearer, and senders that wait for room would have to queue by a protocol of our own.
//
// Counting, idleness and restarts read no clock and touch no shared word for each message.
//
// Rejected: spinning or yielding before a sender parks at a full mailbox. It looks cheaper in
// a throughput benchmark, but a goroutine that yields while two others pass the ball between
// them may not run again for 10 ms. Rejected: a select over mailbox and control channel for each
// message, which locks both channels where a plain receive locks one.
package actor
