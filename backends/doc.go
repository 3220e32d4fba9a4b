// Package backends is the contract between lockkeeper's manager and a store of locks.
//
// A store keeps three things for each named resource: who holds it, who waits for it in which order,
// and the last fencing token it gave out. A [Backend] is one client of a store. The processes that
// share locks each have their own. A manager owns the backend it is given, and closes it.
//
// # To use a store without a manager
//
// [Acquire], [TryAcquire] and [Release] are blocking calls, for tests and tools.
//
// # To write a store
//
// A store is a type with the eleven methods of [Backend]. Requests and releases enter by Start and
// leave by Cancel, see [Op]. Neither blocks: what has to block is returned as [Work], which the
// caller runs. Package backends/memory is the reference, short enough to be read as the
// specification. backendtest.Run checks any backend, clause by clause.
//
// # One discipline for all kinds
//
// A resource has a capacity, a request a weight. A mutex has a capacity of one. A reader takes one
// permit of a reader-writer lock and a writer all of them ([ReadWriteCapacity]). The capacity of a
// semaphore is its user's. So a store has one queue discipline, not three:
//
//   - A request is granted when it is at the head of its queue and its weight fits what is free.
//   - Nothing overtakes a waiter, a try included. A heavy request at the head holds back the light
//     ones behind it.
//   - Requests at the head that fit are granted together, so consecutive readers enter at once.
//   - An operation for several names takes its places in all queues in one step.
//
// # Tokens
//
// Every grant carries a fencing token. The tokens of one name strictly increase from grant to grant,
// whoever holds it and whatever restarts: the next one is max(last+1, the store's clock in
// microseconds), see [NextToken]. A request for the whole resource may reserve a block of tokens, so
// that the grant can be handed on inside a process, with a token for each holder. A shared grant
// reserves exactly one: if two processes counted through two blocks at a time, a later grant could
// carry the smaller token.
//
// # Time
//
// Where grants expire, validity counts from before the request was sent, on the monotonic clock of
// the process that sent it ([ValidUntil]). The store counts from when it executed the request, which
// is later. So the holder knows that the grant has ended before the store can give it to another.
//
// docs/internals/contract.md has the reasons.
package backends
