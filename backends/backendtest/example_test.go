package backendtest_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// A backend's conformance test is a few lines: say how to open clients of one store.
func ExampleRun() {
	testContract := func(t *testing.T) { // func TestContract
		backendtest.Run(t, func(testing.TB) backendtest.Env {
			store := memory.New()
			return backendtest.Env{
				Open: func(testing.TB) backends.Backend { return store.Peer() },
			}
		})
	}
	_ = testContract
	// Output:
}
