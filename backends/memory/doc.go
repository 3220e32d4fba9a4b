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
// docs/internals/memory.md says how it works.
package memory
