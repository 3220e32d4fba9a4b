package memory_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestContract(t *testing.T) {
	backendtest.Run(t, func(testing.TB) backendtest.Env {
		store := memory.New()
		return backendtest.Env{Open: func(testing.TB) backends.Backend { return store.Peer() }}
	})
}
