// Package redis keeps locks on a Redis server (7 or later, or Valkey), a Sentinel group or a cluster.
//
//	b, err := redis.New(goredis.NewClient(&goredis.Options{Addr: "localhost:6379"}))
//
// A name takes one script call to acquire and one to release. Who has to wait stands in a queue on the server, first come
// first served over all processes and all kinds of locks, and sleeps until it is told. Only the server's clock counts, and
// only the server's tables: a message tells of them, or is a hint to look at them.
//
// # What is promised, and when
//
// A grant is valid until [backends.ValidUntil], counted on this process's monotonic clock from before the request was
// sent. The server counts from when it executed the request, and keeps the grant for its time to live and a grace
// ([WithGrace]). A grant of which a message tells is counted from before a command whose answer said what time it was on
// the server. So a holder knows that its time is over before anybody else can be granted, provided that
//
//   - the server's clock makes no step forward larger than the margin (1 % of the time to live, 2 ms, and the grace) while a
//     grant lasts and, for one that was waited for, since the heartbeat before it; a failover, or the move of a slot, to a clock that is ahead is such a step;
//   - the server does not lose the data: no eviction, no FLUSHALL, no restart without a log, no failover to a replica
//     that did not have the grant ([WithWaitReplicas] narrows that);
//   - the holder looks at its validity before each effect.
//
// Where one of them fails two holders may believe in the same lock until the first one's next renewal. Fencing tokens
// still increase: a token is max(last+1, the server's clock in µs), so it survives the loss of all data as long as
// the next server's clock is not behind the last token, and a store that refuses smaller tokens than it has seen is
// safe. Tokens compare within one name only.
//
// Not promised: order over a failover, anything against clients with access who mean harm, Redlock over several servers.
//
// # On the server
//
// A name has at most three keys, in one slot of a cluster: a hash, a queue, and, while there is more than one grant,
// a set of deadlines. The name is their hash tag, with braces and what is not printable escaped, so any bytes will do.
// All keys expire: those of a name that nobody uses within ten minutes, whatever its time to live was.
// The hash has all of the state. If another key is lost, the next command that meets the loss makes
// it anew: a heartbeat within a second, for the deadlines within eight, and holders and waiters
// keep what they have. If the hash is lost, waiters queue again ([backends.Requeued]) and
// holders are told at their next renewal. Data of another version or of somebody else, and a hash of
// which a field cannot be read, is refused and stays as it was: [backends.ErrMismatch].
//
//	           acquire: free                     renew, the same acquire again: for the whole time to live
//	┌────────┐ ───────────────────────▶ ┌──────┐ ──┐
//	│ absent │                          │ held │ ◀─┘
//	└────────┘ ◀─────────────────────── └──────┘
//	  │         release, break, expiry     ▲
//	  │ acquire: not free                  │ for a short while: it fits, and is at the head;
//	  ▼                                    │ done, and told, by whichever script made room
//	┌────────┐                             │
//	│ queued │ ────────────────────────────┘
//	└────────┘
//
// The scripts are in lua/, each with its keys, arguments, result and clock. Every script first ends what is overdue, then
// lets the queue move up, and publishes last, so that a refused message changes nothing.
//
// # In the client
//
// One actor, the desk, knows what the client waits for and holds. It does no I/O; commands run in tasks, or on the goroutine of
// the caller that waits for them, and their results are messages to it.
//
//	┌────────┐ granted                 ┌──────┐ released, lost
//	│ asking │ ──────────────────────▶ │ held │ ──────────────▶ gone
//	└────────┘                         └──────┘
//	   │ ▲ unknown, a lost answer, or     ▲
//	   ▼ │ a message that does not do     │
//	┌────────┐ told by a message          │
//	│ queued │ ───────────────────────────┘
//	└────────┘
//	   │ ctx ended, closed
//	   └──────────────────▶ given back: cancel, or forbid if a command is still on its way
//
// # Rights
//
// The least that a user needs, for the prefix "lk:" (client|setinfo is new in 7.2, and only informs):
//
//	ACL SETUSER locks on >password resetchannels ~lk:* &lk:* -@all +hello +client +evalsha +eval +subscribe +unsubscribe
//	    +publish +time +hmget +hset +hget +hgetall +hlen +hdel +zadd +zrem +zcard +zscore +zrange +zrangebyscore
//	    +pexpireat +del +exists +scan
//
// and +wait with [WithWaitReplicas]. Without the channels everything works, but waiters hear of a grant from their
// heartbeat only. Inspect and List need only the right to read: %R~lk:* +@read.
//
// # Design notes
//
// Whatever makes room (a release, a cancellation, an expiry) grants it to the head of the queue, in order, for a short while, and
// tells the waiter: who hears of its grant is the holder, at once. Rejected: waking the head to try for itself. Many readers at the
// head would each walk the queue to see whether they are next, and one that is slow would keep the permits idle without
// anybody's knowing.
//
// Such a grant is brief, for its waiter may have died since its last heartbeat: it lasts for what the request says that it needs to be of
// use (MinValid) and a heartbeat, in which its holder renews it, or has released it; the server keeps it for two heartbeats at least. So who does not hold for long sends no
// command but its release, and a waiter that died costs the others four heartbeats at most, not its time to live. If it needs more
// than that, or says nothing, or WithWaitReplicas wants every grant confirmed, the message is only a hint, as is one that comes too late:
// the waiter sends its acquire again, which brings the same token and the whole time to live; two heartbeats are enough for that.
// Rejected: longer where somebody listens to the inbox (PUBLISH tells how many do): in a cluster that is true of one node only.
//
// When does it end by the client's clock? The message says when the grant was made, by the server's. The answer that put the
// request into the queue, and each heartbeat's, says what time it was there, and the client knows when it sent that command:
// before. To that moment it adds what has passed on the server's clock until the grant was made, and the brief time; the margin
// is taken of the whole span, since clocks drift. A client that is stopped between any two of these steps finds
// that less is left, or nothing; so does one whose machine slept, by its wall clock. A clock that was set forward between them would make the span too long: less than the margin
// does no harm, and what is beyond the brief time from the coming of the message is cut off. Samples are a request's own, so
// they are of the node that has the name.
//
// A message is believed only if it repeats the request's secret, which its client has left with its place in the queue: who can
// publish but not read the keys makes no holder. One that is older than the place, or comes twice, or after the release, makes none
// either: the server is asked, or told that nobody wants the grant. Rejected: to act on a message while a command of the same request is
// on its way. That could arrive after the release, and would ask anew.
//
// So a hand-off between two processes is a release and a message. A process that releases while others of its own wait
// asks for them in the same command ([Backend.Post]): of its two effects the release comes first, so whoever
// waited is next, and the new request stands behind. What was asked before the release failed to arrive cannot be there without it: a repeated
// command finds the request, and knows that the grant was released. A holder that cannot use the news that others wait says so with
// its request (Quiet), and is sent no message of it.
//
// A request that is posted keeps no goroutine: its command is sent by whoever sends it, and its grant comes on the goroutine that reads the
// inbox. Each goroutine that a grant passes through costs a few microseconds, and more on a busy machine.
//
// A caller sends its own command, if a connection of its own kind is free (lane.go); otherwise a
// task does. A task costs two goroutine switches each way, as much as the server takes for the
// script. The client library does not look at a context while it reads, so the end of the context
// closes that connection: one caller has the lane at a time. A cluster has no such connection, and
// neither has a client whose pool is shared.
//
// The backend repeats a command that got no answer as often as the user's client would (send.go). A
// release that the server has not confirmed goes on in the background (giveback.go).
//
// Only a primary is believed (script.go). A primary that cannot save (MISCONF) or has too few
// replicas (NOREPLICAS) refuses every call, Inspect too. A replica that accepts writes
// (replica-read-only no) looks like a primary.
//
// A client works again as soon as its server is back (dial.go). With [WithSharedPool], and with an
// unknown kind of client, the rules of the client library apply instead.
//
// A waiter whose message was lost finds its grant by its next heartbeat, which comes every 950 ms by default: within a second of the release, for
// about one command a second. A client that waits for more than 4 750 names has a slower heart, of 200 µs for
// each name, so that it takes a tenth of the server at most: 10 s for 50 000 names.
//
// A client is alive on a name as long as its heartbeat says so, for all its requests at once: one command per heartbeat and
// process, however many wait (one per name in a cluster, in one round trip). A dead client's requests are skipped when they
// come to the head. Rejected: one key per process for its liveness; scripts would have to read keys that they cannot
// declare, which clusters and rights forbid.
//
// A dead holder sends no message, so the time to its deadline is part of the answer to a waiter, who looks again when it
// has passed. With times to live below a heartbeat that costs a command per time to live.
//
// The inbox (one subscription per client) is opened when something waits, or has been held for 50 ms, and closed
// after five seconds without use. It is not pinged: when the heartbeat finds a grant of which no message came within half
// a second, the connection is opened anew. Each new subscription looks at everything once.
//
// Renewal is the caller's: when, how often, and when to stop. Renewals, heartbeats and what is given back have connections of
// their own, so that neither the application nor a crowd of callers can keep them from the server.
//
// A lone grant lives in one field of the hash, and what usually happens to it has a short path in the scripts (acquire_lone.lua, short.lua): a grant
// of a free name, queueing behind a holder of all of it, its release to the next, the same acquire again. The general rules (rules.lua) would take
// several times the server's time. The short paths write that field, the queue and its counts, the last token and the last
// release, and nothing that can be derived from them. It is twice the code to get wrong, so a test gives random calls to both and
// compares answers, messages and state.
//
// All answers but a script's own "not held" leave a grant as it was: LOADING, READONLY,
// CLUSTERDOWN, TRYAGAIN, BUSY, OOM, MISCONF, time-outs and resets are [backends.ErrUnavailable].
// All scripts but those of acquires are allowed when memory is exhausted (allow-oom). NOAUTH,
// NOPERM and WRONGPASS are [backends.ErrPermission]. A database that the server does not have is
// [backends.ErrInvalid].
//
// While a slot of a cluster moves, a name in it is out of reach from the move of the first of its keys until the slot has its
// new owner: the server refuses a script of whose keys some are elsewhere, or not there at all (TRYAGAIN). Nothing is lost
// but time; a lease whose time to live is shorter than the move of its slot ends.
//
// A waiter survives the server's absence; a new request does not: it fails with ErrUnavailable, for nobody knows yet
// whether it will ever be possible. If a waiter's place was lost meanwhile it queues again, and is told (Requeued).
//
// [Backend.Check] looks whether the server is fit for all this, without writing to it. Which rights are missing it asks the server
// (redis.acl_check_cmd) rather than by trying, which would leave traces; so it needs no right of its own but eval and time.
//
// Use noeviction as maxmemory-policy: under volatile-ttl locks are the first to go. The client library writes failed dials
// to its own logger, which redis.SetLogger of go-redis silences.
package redis
