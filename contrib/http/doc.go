// Package lkhttp is middleware for net/http: requests take turns under locks of lockkeeper.
//
//	turns, err := lkhttp.New(func(r *http.Request) (manager.Claim, bool) {
//		return locks.Lock("account/" + r.PathValue("id")), r.Method != http.MethodGet
//	})
//	…
//	mux.Handle("/accounts/{id}", turns(accounts))
//
// The function says what a request claims: a lock, a reader or a writer, permits of a semaphore for
// at most so many requests on all machines, or nothing. A request waits for its turn as long as its
// context lasts, or no longer than [WithWait] says. It holds its claim until its handler returns.
//
// # Answers
//
//	409 Conflict               the wait was in vain; another status: WithBusyStatus
//	503 Service Unavailable    the store is out of reach, or the manager is closed
//	400 Bad Request            the claim has a name that is empty or too long
//	500 Internal Server Error  any other error, of the claim for instance
//
// Only 409 and 503 say when to try again, in Retry-After. Answers tell clients no details.
// [WithErrorHandler] replaces them.
//
// # When the lock is lost
//
// The context of the request that the handler gets ends when the lease is lost, with a
// *manager.LostError as its cause. The handler decides about its answer. It finds the lease, and the
// fencing token for its writes, by [manager.LeaseFrom].
//
// This package needs nothing but net/http, so it is part of the library's module.
package lkhttp
