// Package postgres keeps locks in a PostgreSQL database (14 or later), in a schema of their own.
//
//	err := postgres.Migrate(ctx, conn) // once, by a user that may create a schema
//	…
//	b, err := postgres.New(pool)
//	…
//	m, err := manager.New(b)
//
// An acquire is one statement, and so is a release, for several names too. A request that has to
// wait stands in a queue in a table, first come, first served over all processes, and its process
// sleeps until a message (NOTIFY) tells of the grant. Nothing lives in a session: no advisory lock
// and no open transaction. So every statement may run on any connection, and any pooler will do.
//
// # What is guaranteed
//
// A grant is valid until [backends.ValidUntil], counted on this process's monotonic clock from before
// the request was sent. The server counts from when it executed the request, and keeps the grant for
// 50 ms more. So a holder knows that its time is over before another can be granted, provided that
//
//   - the server's clock makes no step forward larger than the margin (1 % of the time to live, 2 ms,
//     and those 50 ms) while a grant lasts;
//   - the server keeps what it has committed: see Durability;
//   - the holder looks at its validity before each effect.
//
// Where one of these fails, two holders may believe in the same lock until the first one's next
// renewal. Fencing tokens still increase: a token is max(last+1, the server's clock in µs).
//
// A release that the server has not confirmed is repeated in the background until it is confirmed or
// the grant has expired. A waiter whose message was lost finds its grant within a heartbeat, which is
// less than a second. A client works again as soon as its server is back.
//
// # Durability
//
// Grants and renewals that last longer than the pause, 5 s, are on the disk before they are answered,
// also where synchronous_commit is off. Everything else is committed without waiting for the disk.
// After a crash of the server nothing is granted for the length of the pause: all that may have been
// lost has expired by then. To change the pause, update lockkeeper.conf and reconnect; 0 has every
// grant flushed. A failover is like a crash, but to an asynchronous standby it may lose longer grants
// as well: then only tokens protect, unless the pause is at least the longest time to live.
//
// A detached grant and its adoption are flushed always, and nothing is adopted within the pause: a
// ticket is used once. Asynchronous standbys are an exception as above.
//
// Within a transaction of the same database [Fence] protects in each of these cases but the last.
//
// # Connections
//
// Statements use the pool that [New] is given. A client that waits, or that has held for a moment,
// has one connection more, on which it listens; it closes it when it has been idle for 5 s. Behind a
// pooler in transaction mode LISTEN does not work: give the way around it with [WithListener], or
// leave it out with [WithoutListener]. Otherwise the client finds that out by itself. Without it
// waiters hear of a grant from their heartbeat, holders of waiters within one, and nobody of tries.
//
// A session whose isolation is not read committed costs two round trips more for each statement. To
// avoid that: ALTER ROLE app SET default_transaction_isolation = 'read committed'.
//
// # Rights
//
// The least that a user needs:
//
//	GRANT USAGE ON SCHEMA lockkeeper TO app;
//	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA lockkeeper TO app;
//
// It has no right on a table.
//
// docs/internals/postgres.md says how it works.
package postgres
