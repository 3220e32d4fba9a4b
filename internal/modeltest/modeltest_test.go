package modeltest

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// The model is as it says itself.
func TestTheModelAgreesWithItself(t *testing.T) {
	for _, s := range Seeds() {
		store := memory.New()
		Run(t, func(testing.TB) backends.Backend { return store.Peer() }, s)
	}
}

// The other stores have the same test.
func FuzzRequests(f *testing.F) {
	fresh := func(*testing.T) func(testing.TB) backends.Backend {
		store := memory.New()
		return func(testing.TB) backends.Backend { return store.Peer() }
	}
	Requests(f, fresh)
}
