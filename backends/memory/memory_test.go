package memory_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestStoresAreIndependent(t *testing.T) {
	a, b := memory.New(), memory.New()
	g := try(t, a, mutex("db"))
	release(t, b, try(t, b, mutex("db")))
	release(t, a, g)
}

func TestPeersOutliveEachOther(t *testing.T) {
	a := memory.New()
	b := a.Peer()
	g := try(t, b, mutex("db"))
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := a.Peer()
	busy(t, c, mutex("db"))
	release(t, b, g)
	release(t, c, try(t, c, mutex("db")))
}

func mutex(name string) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1,
	}
}

func try(t testing.TB, b backends.Backend, r backends.Request) backends.Grant {
	t.Helper()
	g, err := backends.TryAcquire(t.Context(), b, r)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func release(t testing.TB, b backends.Backend, g backends.Grant) {
	t.Helper()
	if err := backends.Release(t.Context(), b, g); err != nil {
		t.Fatal(err)
	}
}
