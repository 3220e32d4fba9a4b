package postgres_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/modeltest"
)

// Any sequence of calls has the answers that the memory store gives.
func FuzzSequences(f *testing.F) {
	for _, s := range modeltest.Seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		modeltest.Run(t, newBed(t, server.Get(t)).further(t), sequence)
	})
}

// further returns what opens clients of the schema, which share a pool.
func (b *bed) further(t *testing.T) func(t testing.TB) backends.Backend {
	pool := b.pool(t, b.server.Addr, nil)
	return func(t testing.TB) backends.Backend {
		c, err := postgres.New(pool, postgres.WithSchema(b.schema))
		if err != nil {
			t.Fatal(err)
		}
		c.Await()
		return c
	}
}

// Any arguments of a request are refused, or reach the functions as they are and come back.
func FuzzRequests(f *testing.F) {
	modeltest.Requests(f, func(t *testing.T) func(testing.TB) backends.Backend {
		return newBed(t, server.Get(t)).further(t)
	})
}
