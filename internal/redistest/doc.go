// Package redistest runs real redis-servers for tests, and a TCP proxy that makes their network fail.
//
// A package whose tests can share one server declares it and lets it end before goroutines are counted:
//
//	var server redistest.Shared
//
//	func TestMain(m *testing.M) { leaktest.Main(server.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		s := server.Get(t)
//		client := s.Client(t)
//		prefix := s.Prefix()
//		…
//	}
//
// Tests of a shared server keep apart by a prefix of their own. A test that kills, freezes or reconfigures its server
// starts a private one with [Start].
//
// Where redis-server is not installed the test is skipped, loudly; with CI=true in the environment it fails instead, so
// that a build machine cannot lose these tests unnoticed.
package redistest
