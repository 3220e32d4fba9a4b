// Package pgtest runs real PostgreSQL servers for tests. It needs no driver: a test opens the DSN of
// a database with its own.
//
// A package whose tests can share one server declares it and lets it end before goroutines are
// counted:
//
//	var server pgtest.Shared
//
//	func TestMain(m *testing.M) { leaktest.Main(server.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		dsn := server.Get(t).Database(t) // of a new database
//		…
//	}
//
// A test that stops or configures its server starts a private one with [Start]. A network that
// fails is a redistest.Proxy before [Server.Addr].
//
// The programs are those of PG_BIN in the environment, else those on the PATH, else the newest that
// Debian has installed. PostgreSQL refuses to run as root, so a test that runs as root runs it as
// the user postgres or nobody. Where PostgreSQL is not installed the test is skipped, loudly; with
// CI=true in the environment it fails instead.
package pgtest
