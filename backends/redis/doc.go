// Package redis keeps locks on a Redis server (7 or later, or Valkey), a Sentinel group or a cluster.
//
//	b, err := redis.New(goredis.NewClient(&goredis.Options{Addr: "localhost:6379"}))
//	…
//	m, err := manager.New(b)
//
// An acquire is one script call, and so is a release, for several names too; in a cluster, one for
// each slot. A request that has to wait stands in a queue on the server, first come, first served over
// all processes, and its process sleeps until a message tells of the grant.
//
// # What is guaranteed
//
// A grant is valid until [backends.ValidUntil], counted on this process's monotonic clock from before
// the request was sent. The server counts from when it executed the request, and keeps the grant for
// its time to live and a grace ([WithGrace]). So a holder knows that its time is over before another
// can be granted, provided that
//
//   - the server's clock makes no step forward larger than the margin (1 % of the time to live, 2 ms,
//     and the grace) while a grant lasts and, for a grant that was waited for, since the heartbeat
//     before it. A failover, or the move of a slot, to a clock that is ahead is such a step;
//   - the server does not lose the data: no eviction, no FLUSHALL, no restart without a log, no failover
//     to a replica that did not have the grant ([WithWaitReplicas] narrows that);
//   - the holder looks at its validity before each effect.
//
// Where one of these fails, two holders may believe in the same lock until the first one's next
// renewal. Fencing tokens still increase: a token is max(last+1, the server's clock in µs). So a
// resource that refuses smaller tokens than it has seen is safe, even after the loss of all data, if
// the next server's clock is not behind the last token.
//
// Only a primary is believed. A release that the server has not confirmed is repeated in the
// background until it is confirmed or the grant has expired. A waiter whose message was lost finds its
// grant within a second. A client works again as soon as its server is back; with [WithSharedPool] the
// rules of the client library apply instead.
//
// Not promised: order over a failover, anything against clients with access who mean harm, Redlock
// over several servers.
//
// # Keys
//
// A name has at most three keys, in one slot of a cluster: a hash, a queue, and a set of deadlines. All
// of them expire: those of a name out of use within ten minutes. The hash has all of the state. If
// another key is lost it is made anew, and holders and waiters keep what they have. If the hash is
// lost, waiters queue again ([backends.Requeued]) and holders are told at their next renewal. Data of
// another version or of another program is refused and stays as it was: [backends.ErrMismatch].
//
// # Rights
//
// docs/operating.md has the least that a user needs. Without the right to the channels everything
// works, but waiters hear of a grant from their heartbeat only. Inspect and List need only the right
// to read. [Backend.Check] finds what a server or a user lacks.
//
// # Operation
//
// Use noeviction as maxmemory-policy: under volatile-ttl locks are the first to go. docs/operating.md
// has the other settings. The client library writes failed dials to its own logger, which
// redis.SetLogger of go-redis silences.
//
// docs/internals/redis.md says how it works, and one-acquire.md beside it follows one acquire.
package redis
