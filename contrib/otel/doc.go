// Package lkotel makes OpenTelemetry spans and metrics of what the locks of a process do.
//
//	t, err := lkotel.New() // with the global providers
//	…
//	locks, err := manager.New(store, manager.WithTracer(t))
//
// # Spans
//
// Each acquire makes a span lockkeeper.wait in the trace of its caller. It begins when the wait
// begins and ends with its result. A wait that fails or times out has the status Error; one that is
// cancelled and a try that is busy have not.
//
// Each lease makes a span lockkeeper.hold: a sibling of the wait, with a link to it. It begins when
// the acquire returns and ends with the lease, on whatever goroutine that is, with the reason of its
// end. The hold of a lost lease has the status Error. A renewal that fails is an event of it.
//
// Spans of the work that is done under a lock are siblings of the hold, not its children: the
// context of a lease is made before it is held, and has the span of the caller.
//
// Attributes, of both spans unless said otherwise:
//
//	lockkeeper.name             the name, of an All its names joined by "+"
//	lockkeeper.kind             mutex, read-write, semaphore, all
//	lockkeeper.weight           permits; not of an All
//	lockkeeper.capacity         of the resource; not of an All
//	lockkeeper.try              true for a TryAcquire; of waits
//	lockkeeper.result           acquired, timed_out, cancelled, busy, failed; of waits
//	lockkeeper.token            fencing token, not of an All; of holds
//	lockkeeper.handoff          true if a holder of this process handed the name over; of holds
//	lockkeeper.end              released, or the reason of the loss: see manager.LostReason; of holds
//	code.file.path, code.line.number  the line that called Acquire; then manager.Stats has it too
//
// # Metrics
//
// They are named after db.client.connection.* of the semantic conventions; durations are in seconds.
//
//	lockkeeper.lease.pending_requests  up-down counter  acquires that have not returned
//	lockkeeper.lease.count             up-down counter  leases held, re-entrant ones included
//	lockkeeper.lease.wait_time         histogram        of acquires, by lockkeeper.result
//	lockkeeper.lease.use_time          histogram        of leases, by lockkeeper.end
//
// They have the attribute lockkeeper.kind, and lockkeeper.name only with [WithNames].
//
// # Costs
//
// An uncontended lease in memory takes about 14 times as much processor time with spans that are
// sampled, and 7 times with spans that are not: some 30 and 14 µs beside 2 µs on a busy machine.
//
// Spans end on goroutines of the manager, which must not be held up: export them in batches
// (trace.WithBatcher), not one by one (trace.WithSyncer).
package lkotel
