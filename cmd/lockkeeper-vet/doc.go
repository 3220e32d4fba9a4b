// Lockkeeper-vet finds mistakes in programs that use lockkeeper: code that reads as if it held a
// lock and does not, and leases that stay held.
//
//	go install github.com/lockkeeper/lockkeeper/cmd/lockkeeper-vet@latest
//	go vet -vettool=$(which lockkeeper-vet) ./...
//	lockkeeper-vet ./...
//
// It has three analyzers. A flag turns each off: -lostlease=false.
//
//	droppedclaim      locks.Lock("x") alone: a claim that nothing acquires
//	uncheckedacquire  mu.Lock(ctx) alone: if ctx ends, the code that follows runs without the lock
//	lostlease         a lease that is not released on some path to a return
//
// The command lockkeeper-vet help NAME says what an analyzer reports and what it leaves alone.
package main
