// Package inprocess measures package primitives beside sync, x/sync/semaphore, a channel of capacity one and other
// locks that take a context: the price of a lock nobody waits for, the throughput, order and waiting times of
// one that many want, readers on all cores, cancelling one waiter of many, and what a lock weighs.
//
// Every side that takes a context gets a cancellable one, as a request handler's is.
package inprocess
