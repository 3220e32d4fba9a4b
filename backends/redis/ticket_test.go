package redis_test

import (
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/tickettest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// passer is a helper process of tickettest: args address, prefix, time to live.
func passer(c *proctest.Child) error {
	ttl, err := time.ParseDuration(c.Args[2])
	if err != nil {
		return err
	}
	client := goredis.NewClient(&goredis.Options{Addr: c.Args[0]})
	defer client.Close()
	b, err := redis.New(client, redis.WithPrefix(c.Args[1]))
	if err != nil {
		return err
	}
	m, err := manager.New(b, manager.WithTTL(ttl))
	if err != nil {
		return err
	}
	return tickettest.Serve(c, m, ttl)
}

func TestLeaseGoesFromProcessToProcess(t *testing.T) {
	tickettest.Test(t, func(ttl time.Duration) (*manager.Manager, func() *proctest.Process) {
		b := newBed(t, server.Get(t))
		return b.managed(b.open(), ttl), func() *proctest.Process {
			return proctest.Start(t, "passer", b.server.Addr, b.prefix, ttl.String())
		}
	})
}
