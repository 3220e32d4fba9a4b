// Package actor provides typed actors: state that belongs to one goroutine at a time and is served
// message by message.
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
// # Which actor when
//
// [Spawn] makes an actor with a mailbox and a goroutine of its own. [NewOnDemand] makes an actor
// that is plain data at rest and has a goroutine only while it has mail. [Activity] is an on-demand
// actor whose mail lies in a structure of the user's.
//
//	                   Spawn                         OnDemand
//	use it for         streams of messages,          very many actors that mostly rest, and
//	                   children, workers that fail   senders that wait for their answers
//	at rest            2.8 KB and a goroutine        88 B, no goroutine
//	a message          Tell: 1.2 to 1.4 times        Deliver: about a channel send, handling
//	                   a channel send                included; Tell: the start of a goroutine
//	mail is bounded    yes: Tell waits for room,     no: no send blocks or fails
//	                   TryTell refuses
//	an answer          Ask: exact, with a context    by a channel, say, in the message
//	what stops it      Stop, Drain, Shutdown,        nothing: drop it
//	                   an idle timeout
//	after a failure    stop, restart or escalate     every message goes to the failed function
//
// BenchmarkTell and BenchmarkOnDemand measure the messages, case "100 000 actors" of suite actor in
// bench/ the bytes and goroutines at rest.
//
// The two are not one type with an option. Without a goroutine at rest there is nothing to stop,
// drain, watch, supervise or end when idle, and without a bound there is no room to wait for: half
// of the methods would have no meaning on demand. A mailbox's bound in turn is what a sender that
// waits for its answer does not need: it has one message under way.
//
// # What comes back
//
// [Ref.Tell] returns nil when the message is in the mailbox. An error means that nothing was sent:
// [ErrStopped] or the error of ctx. A message that its actor does not live to handle is a dead
// letter, see [Hooks].
//
// [Ask] returns as soon as it is known whether there will be an answer. Exactly one of the answer
// and the end of ctx wins, and both sides know which: [Reply.Send] reports false if the asker has
// gone. A handler that returns without an answer fails the ask with [ErrNoReply], unless it calls
// [Reply.Defer]; one that panics fails it with a [*PanicError]; a stop fails it with [ErrStopped].
//
// A handler that returns an error, panics or calls [runtime.Goexit] is a failure of the actor. The
// actor stops, unless [WithSupervision] says otherwise. [Ref.Done] is closed when the actor has
// ended with its tasks and children, and [Ref.Err] says why.
//
// docs/internals/actor.md lists every case with the test that shows it.
//
// # Order and memory
//
// The messages of one sender are handled in the order sent. What is done before a Tell, Ask or Wake
// happens before its handling. Each handling happens before the next. What is done before an answer
// is sent happens before Ask returns. Timers, results of tasks, ends of watched actors and cancelled
// asks go ahead of the mailbox, but never keep it waiting for long.
//
// # Tests
//
// An actor of [Spawn] belongs to the [testing/synctest] bubble in which it was spawned, or to none.
// An actor outside takes messages from a bubble, but a caller in the bubble cannot wait for it: Ask,
// and Tell at a full mailbox, return an error, and Watch panics. A bubble ends when its actors have
// ended. An [OnDemand], an [Activity] and a [System] belong to no bubble.
package actor
