// Package memory keeps locks in the memory of one process. It is what a program uses that needs no
// other process, and the reference for the contract in package backends.
//
// [New] makes a store and its first client. [Backend.Peer] makes a further client of the same store,
// as another process would have: it queues behind the first, Inspect tells it apart, and it loses its
// grants when it is closed. A program needs one client. Tests of code that runs in several processes
// use peers.
//
// A store needs no Close to be collected: at rest it is plain data, without a goroutine. Start and
// Cancel never wait and return no work. Callbacks must not block. They may call Start and Cancel.
//
// If a callback panics the store is lost: from then on every request and call fails with an error
// that wraps [backends.ErrUnavailable], waiting ones included.
//
// # The rules, in the order of the code
//
//   - An operation is one turn of the store: its releases, then its requests.
//   - A resource exists while it is held or waited for. It then has one kind and one capacity.
//   - A request is granted if nothing waits and it fits. Otherwise it goes to the end of the queue,
//     and every holder of another client is told that it is contended. A try is granted in full or
//     fails, and holders of another client that want to know are told.
//   - Whenever permits come back or a waiter leaves, the queue moves up: its head is granted as long
//     as it fits.
//   - A grant that ends before its AtLeast is over is kept: it stays among the holders, without a
//     client, until a timer gives its permits back.
//   - A detached grant stays among the holders, without a client, until a client adopts it or a timer
//     ends it.
//   - The token of a grant is [backends.NextToken] of the last one given out under this name. When the
//     name is forgotten, its last token stays as a floor for the whole store.
//   - At the end of the turn all concerned are told, in the order of what happened.
//
// # States of a resource
//
//	         acquire, try                 acquire: does not fit
//	┌────────┐ ───────────▶ ┌──────┐ ───────────────────────▶ ┌───────────┐
//	│ absent │              │ held │                          │ contended │
//	└────────┘ ◀─────────── └──────┘ ◀─────────────────────── └───────────┘
//	         last release         queue empty: granted, cancelled, closed
package memory
