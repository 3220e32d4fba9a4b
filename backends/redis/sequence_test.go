package redis_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/modeltest"
)

// Any sequence of calls has the answers that the memory store gives.
func FuzzSequences(f *testing.F) {
	for _, s := range modeltest.Seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sequence []byte) {
		modeltest.Run(t, newBed(t, server.Get(t)).further, sequence)
	})
}

// further returns a client of the same names, whose connections are there.
func (b *bed) further(t testing.TB) backends.Backend {
	c, err := redis.New(b.client, redis.WithPrefix(b.prefix))
	if err != nil {
		t.Fatal(err)
	}
	c.Await()
	return c
}

// Any arguments of a request are refused, or reach the scripts as they are and come back.
func FuzzRequests(f *testing.F) {
	modeltest.Requests(f, func(t *testing.T) func(testing.TB) backends.Backend {
		return newBed(t, server.Get(t)).further
	})
}
