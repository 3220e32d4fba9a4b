// Package proctest lets a test binary play its own helper processes: real ones, which can be killed, stopped and
// continued.
//
// TestMain registers the helpers before it runs the tests:
//
//	func TestMain(m *testing.M) {
//		proctest.Register("holder", holder) // does not return in a process that is this helper
//		leaktest.Main(m)
//	}
//
// A test starts one by its name and talks to it by lines:
//
//	p := proctest.Start(t, "holder", dir)
//	p.Expect("held")
//	p.Kill()
//
// No helper outlives its test: the end of the test kills it, and if the test process itself dies, the kernel does
// (Linux), or the helper sees the end of its input the next time it listens (elsewhere).
package proctest
