package redis_test

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// A program uses a backend through package manager, which renews grants and ends contexts. This is what happens
// beneath. It needs a server, so its output is not checked here.
func ExampleNew() {
	ctx := context.Background()
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379"})
	b, err := redis.New(client, redis.WithPrefix("shop:"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close(ctx)

	g, err := backends.Acquire(ctx, b, backends.Request{
		Resource: backends.Resource{Name: "invoices", Kind: backends.Mutex, Capacity: 1},
		Weight:   1,
		Tokens:   1,
		TTL:      10 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("held until", g.ValidUntil, "with token", g.Token)
	if err := backends.Release(ctx, b, g); err != nil {
		fmt.Println(err)
	}
}

func ExampleNew_invalid() {
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379"})
	defer client.Close()
	_, err := redis.New(client, redis.WithPrefix("{shop}"))
	fmt.Println(err)
	// Output: redis: invalid prefix "{shop}": want 1 to 128 bytes without braces
}
