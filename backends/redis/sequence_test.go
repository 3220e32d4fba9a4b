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
		b := newBed(t, server.Get(t))
		modeltest.Run(t, func(t testing.TB) backends.Backend {
			c, err := redis.New(b.client, redis.WithPrefix(b.prefix))
			if err != nil {
				t.Fatal(err)
			}
			c.Await()
			return c
		}, sequence)
	})
}
