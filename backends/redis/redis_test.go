package redis_test

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

func TestContract(t *testing.T) {
	backendtest.Run(t, func(t testing.TB) backendtest.Env {
		s := server.Get(t)
		prefix := s.Prefix()
		return backendtest.Env{
			TTL: 300 * time.Millisecond,
			Open: func(t testing.TB) backends.Backend {
				b, err := redis.New(s.Client(t), redis.WithPrefix(prefix))
				if err != nil {
					t.Fatal(err)
				}
				return b
			},
		}
	})
}
