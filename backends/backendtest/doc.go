// Package backendtest is the contract of package backends as a test suite: one subtest for each
// clause, run against any backend. Every clause enters by the door that a manager uses, Start and
// Cancel of an operation; a clause about one request that waits uses [backends.Acquire], which is
// made of them.
//
// [Run] is all that a backend's test needs to call. Each clause begins with an [Env] of its own, made by the
// backend's test: a store, and a way to open more clients of it. What a clause does not find in the Env or in
// the backend's capabilities it says in the log and skips. When a clause fails its text stands in the output.
//
// The suite waits for signals, never for a while: to know that a request stands in the queue it asks Inspect until it
// does. So a slow machine makes it slow, not wrong; what must happen and does not is given up after
// Env.Patience.
//
// The suite is itself tested: for each group of clauses there is a store with a seeded fault that it must find.
package backendtest
