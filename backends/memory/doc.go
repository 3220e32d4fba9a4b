// Package memory keeps locks in the memory of one process. It is the reference for the contract in package backends,
// short enough to be read as its specification, and what a program uses that needs no other process.
//
// [New] makes a store and its first client. [Backend.Peer] makes a further client of the same store, which stands
// to the first as another process would: it queues behind it, is told apart in Inspect, and loses its grants when
// it is closed. A program needs one client; tests of code that runs in several processes use peers.
//
// # The rules, in the order of the code
//
//   - A resource exists while somebody holds it or waits for it. It then has one kind and one capacity.
//   - A request is granted if nobody waits and it fits. Otherwise it is refused (TryAcquire) or goes to the end of
//     the queue (Acquire), and every holder of another client is told that it is contended.
//   - Whenever permits come back or a waiter leaves, the queue moves up: its head is granted as long as it fits.
//   - The token of a grant is [backends.NextToken] of the last one that was given out under this name.
//
// # States of a resource
//
//	         acquire, try                 acquire: does not fit
//	┌────────┐ ───────────▶ ┌──────┐ ───────────────────────▶ ┌───────────┐
//	│ absent │              │ held │                          │ contended │
//	└────────┘ ◀─────────── └──────┘ ◀─────────────────────── └───────────┘
//	         last release         queue empty: granted, cancelled, closed
//
// # Design notes
//
// The state belongs to one actor that runs on demand: at rest a store is plain data, without a goroutine, and needs no
// Close to be collected. When the actor is at rest a caller lends it its own goroutine, so that a call without
// contention costs no goroutine switch. A turn waits for nobody, does no I/O and runs no foreign code but
// [backends.Request.Notify], which must not block: so a call that finds the actor busy waits for a few short
// turns and for nothing else, and another actor may call TryAcquire, Renew and Release within its own turn
// ([backends.Capabilities].Immediate).
//
// One actor serves all names. One for each name would let unrelated names proceed in parallel, at the price of a second
// life cycle (who retires an actor while a request is on its way to it?) that would hide the rules above. The
// manager's keepers take most requests anyway and ask the store once for many of their own waiters.
//
// The last token of an unused name is forgotten; the largest one forgotten stays, as a floor for the whole store. The
// clock alone would not do: a name that used more than one token per microsecond, or a clock set back, could
// bring an old token again.
//
// If a turn panics (a Notify that panics can do that) the store is lost: from then on every call returns
// an error that wraps [backends.ErrUnavailable], waiting ones included. State that is known to be half changed must
// not grant anything.
package memory
