package redis_test

import (
	"errors"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

func TestNewRefusesBadOptions(t *testing.T) {
	c := goredis.NewClient(&goredis.Options{})
	defer c.Close()
	for what, opt := range map[string]redis.Option{
		"empty prefix":   redis.WithPrefix(""),
		"braces":         redis.WithPrefix("a{b}"),
		"negative grace": redis.WithGrace(-1),
		"long grace":     redis.WithGrace(2 * time.Hour),
		"fast heart":     redis.WithHeartbeat(time.Millisecond),
		"slow heart":     redis.WithHeartbeat(time.Hour),
		"replicas":       redis.WithWaitReplicas(-1, time.Second),
		"no patience":    redis.WithWaitReplicas(1, 0),
		"zero option":    {},
	} {
		if _, err := redis.New(c, opt); !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("%s: New says %v, want ErrInvalid", what, err)
		}
	}
	if _, err := redis.New(nil); !errors.Is(err, backends.ErrInvalid) {
		t.Errorf("no client: New says %v, want ErrInvalid", err)
	}
}
