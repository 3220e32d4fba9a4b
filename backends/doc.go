// Package backends is the contract between lockkeeper's manager and a store of locks.
//
// A store keeps, for each named resource, three things: who holds it, who waits for it in which order, and the
// last fencing token it gave out. A [Backend] is one client of a store; the processes that share locks each have
// their own. Package backends/memory is the contract's reference, short enough to be read as its specification;
// package backends/backendtest runs the contract, clause by clause, against any backend.
//
// # One discipline for all kinds
//
// A resource has a capacity, a request a weight: a mutex is a capacity of one, a reader takes one permit of a
// reader-writer lock and a writer all of them ([ReadWriteCapacity]), a semaphore's capacity is its user's. So a
// store has one queue discipline, not three:
//
//   - A request is granted when it is at the head of its resource's queue and its weight fits what is free.
//   - Nobody overtakes a waiter, TryAcquire included. A heavy request at the head holds back the light ones behind it.
//   - Requests at the head that fit are granted together, so consecutive readers enter at once.
//
// # Tokens
//
// Every grant carries a fencing token. The tokens of one name strictly increase from grant to grant, whoever
// holds it and whatever restarts: the next one is max(last+1, the store's clock in microseconds), see
// [NextToken]. A request for the whole resource may reserve a block of tokens, so that its holder can pass the
// grant on between its own waiters, each with a token of its own. A shared grant reserves exactly one: were two
// processes to count through two blocks at a time, a later grant could carry the smaller token.
//
// # Time
//
// Where a store lets grants expire, validity is counted from before the request was sent, on the monotonic clock
// of the process that asked ([ValidUntil]). The store counts from when it executed the request, which is later:
// so the holder knows that the grant has ended before the store can give it to anyone else.
//
// # Design notes
//
// Events are delivered by a callback in the request ([Request.Notify]) rather than by one channel per backend: an event
// concerns one grant, and its receiver is the actor that asked for that grant. A channel would need a second
// registry, from grants to actors, and a rule for what happens when nobody reads.
//
// The manager owns the backend it is given and closes it.
package backends
