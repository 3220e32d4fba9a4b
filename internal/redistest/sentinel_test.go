package redistest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestSentinelKnowsItsPrimary(t *testing.T) {
	primary, other := redistest.Start(t), redistest.Start(t)
	s := redistest.StartSentinel(t, primary)
	c := redis.NewSentinelClient(&redis.Options{Addr: s.Addr})
	defer c.Close()
	knows := func(p *redistest.Server) {
		t.Helper()
		addr, err := c.GetMasterAddrByName(context.Background(), "primary").Result()
		if err != nil || strings.Join(addr, ":") != p.Addr {
			t.Fatalf("the primary is %v, %v; want %s", addr, err, p.Addr)
		}
	}
	knows(primary)
	s.Watch(other)
	s.Restart(t)
	knows(other)
}
