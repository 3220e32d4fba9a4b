// Package lkgrpc has interceptors for servers of gRPC: calls take turns under locks of lockkeeper.
//
//	turns, err := lkgrpc.Unary(func(_ context.Context, _ string, request any) (manager.Claim, bool) {
//		r, ok := request.(*bank.TransferRequest)
//		return locks.Lock("account/" + r.GetAccount()), ok
//	})
//	…
//	server := grpc.NewServer(grpc.ChainUnaryInterceptor(turns))
//
// The function says what a call claims: a lock, a reader or a writer, permits of a semaphore for at
// most so many calls on all servers, or nothing. A call waits for its turn as long as its context
// lasts, or no longer than [WithWait] says. It holds its claim until its handler returns. [Stream]
// is the same for streams, which hold their claim until their end.
//
// # Answers
//
//	Aborted             the wait was in vain; another code: WithBusyCode
//	Unavailable         the store is out of reach, or the manager is closed
//	DeadlineExceeded    the call's own deadline has passed; Canceled: the client has gone
//	InvalidArgument     the claim has a name that is empty or too long
//	Internal            any other error, of the claim for instance
//
// Aborted and Unavailable say when to try again: to the client's code in an errdetails.RetryInfo,
// to the client's retry policy in the trailer grpc-retry-pushback-ms. Answers tell clients no
// details. [WithErrorHandler] replaces them.
//
// # When the lock is lost
//
// The context of the handler ends when the lease is lost, with a *manager.LostError as its cause.
// The handler decides about its answer. If it returns an error without a status, the code is
// Aborted. It finds the lease, and the fencing token for its writes, by [manager.LeaseFrom]. A
// stream's Recv that waits for the client does not end with the lease: a handler that has to write
// nothing more after a loss looks at its context.
package lkgrpc
