package redistest_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestRestartEmptiesTheServerAndKeepsItsAddress(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client(t)
	ctx := context.Background()
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	addr := s.Addr
	s.Restart(t)
	if err := c.Get(ctx, "k").Err(); err != redis.Nil {
		t.Fatalf("after a restart without persistence GET says %v, want nil", err)
	}
	if s.Addr != addr {
		t.Fatalf("address moved from %s to %s", addr, s.Addr)
	}
}

func TestAppendOnlyServerKeepsItsDataOverKill(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	c := s.Client(t)
	ctx := context.Background()
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	if v, err := c.Get(ctx, "k").Result(); v != "v" || err != nil {
		t.Fatalf("GET = %q, %v; want v", v, err)
	}
}

func TestStoppedServerDoesNotAnswerUntilContinued(t *testing.T) {
	s := redistest.Start(t)
	c := impatient(t, s, s.Addr)
	ctx := context.Background()
	s.Stop(t)
	if err := c.Ping(ctx).Err(); err == nil {
		t.Fatal("a stopped server answered")
	}
	s.Cont(t)
	if err := s.Client(t).Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
}

// impatient returns a client that waits 50 ms for an answer and has already received one.
func impatient(t *testing.T, s *redistest.Server, addr string) *redis.Client {
	t.Helper()
	c := s.ClientOf(t, &redis.Options{Addr: addr, ReadTimeout: 50 * time.Millisecond, MaxRetries: -1})
	for began := time.Now(); ; {
		err := c.Ping(context.Background()).Err()
		if err == nil {
			return c
		}
		if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}

func TestCallsCountsCommands(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client(t)
	ctx := context.Background()
	s.ResetCalls(t)
	for range 3 {
		c.Incr(ctx, "n")
	}
	if n := s.Calls(t)["incr"]; n != 3 {
		t.Fatalf("counted %d calls of incr, want 3", n)
	}
}

func TestLoadingServerRefusesCommands(t *testing.T) {
	// Each key takes 10 ms to load, so the server is still loading when the client asks.
	s := redistest.Start(t, "--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
	c := s.ClientOf(t, &redis.Options{MaxRetries: -1})
	ctx := context.Background()
	p := c.Pipeline()
	for i := range 1000 {
		p.Set(ctx, strconv.Itoa(i), "some bytes, for events are handled between so many of them", 0)
	}
	p.Save(ctx)
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	s.RestartLoading(t)
	if err := s.Client(t).Set(ctx, "k", "v", 0).Err(); !redis.IsLoadingError(err) {
		t.Fatalf("while it loads SET says %v", err)
	}
}
