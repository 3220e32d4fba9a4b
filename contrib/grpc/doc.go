// Package lkgrpc provides interceptors for gRPC servers: calls take turns under locks of lockkeeper.
//
//	turns, err := lkgrpc.Unary(func(_ context.Context, _ string, request any) (manager.Claim, bool) {
//		r, ok := request.(*bank.TransferRequest)
//		return locks.Lock("account/" + r.GetAccount()), ok
//	})
//	…
//	server := grpc.NewServer(grpc.ChainUnaryInterceptor(turns))
//
// The function returns the claim of a call: a lock, a reader or a writer, or permits of a semaphore,
// which bounds the calls on all servers. It returns false for a call without a claim. A call waits
// for its turn until its context ends, or for the time of [WithWait]. It holds its claim until its
// handler returns. [Stream] does the same for streams.
//
// # Answers
//
//	Aborted             the claim is busy after the wait; another code: WithBusyCode
//	Unavailable         the store is out of reach, or the manager is closed
//	DeadlineExceeded    the call's own deadline has passed; Canceled: the client has gone
//	InvalidArgument     the name of the claim is empty or too long
//	Internal            any other error, such as a bad claim or option
//
// Aborted and Unavailable say when to try again ([WithRetryAfter]): the client's code reads it in an
// errdetails.RetryInfo, its retry policy in the trailer grpc-retry-pushback-ms. Answers show clients
// no details. [WithErrorHandler] replaces the answers.
//
// # When the lock is lost
//
// The context of the handler ends when the lease is lost, with a *manager.LostError as its cause.
// The handler decides on its answer. If it returns an error without a status, the code is Aborted.
// [manager.LeaseFrom] returns the lease, and so the fencing token for writes. A Recv of a stream
// that waits for the client does not end with the lease: check the context before each write.
package lkgrpc
