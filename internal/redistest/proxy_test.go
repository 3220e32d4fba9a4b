package redistest_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestDroppedReplyMeansTheCommandRan(t *testing.T) {
	s := shared.Get(t)
	p := s.NewProxy(t)
	c := s.ClientOf(t, &redis.Options{Addr: p.Addr, MaxRetries: -1})
	ctx := context.Background()
	key := s.Prefix() + "n"
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	p.Judge(func(b []byte) redistest.Verdict {
		if bytes.Contains(b, []byte("incr")) {
			return redistest.DropReply
		}
		return redistest.Pass
	})
	if err := c.Incr(ctx, key).Err(); err == nil {
		t.Fatal("the reply came through")
	}
	if n, err := s.Client(t).Get(ctx, key).Int(); n != 1 || err != nil {
		t.Fatalf("the command ran %d times (%v), want once", n, err)
	}
}

func TestBlackHoleSwallowsBothWays(t *testing.T) {
	s := shared.Get(t)
	p := s.NewProxy(t)
	c := impatient(t, s, p.Addr)
	ctx := context.Background()
	p.BlackHole()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Fatal("answered through a black hole")
	}
	p.Judge(nil)
	c.Ping(ctx) // may still meet the swallowed connection
	if err := s.ClientOf(t, &redis.Options{Addr: p.Addr}).Ping(ctx).Err(); err != nil {
		t.Fatalf("after the hole: %v", err)
	}
}

func TestCutAllEndsConnections(t *testing.T) {
	s := shared.Get(t)
	p := s.NewProxy(t)
	c := s.ClientOf(t, &redis.Options{Addr: p.Addr, MaxRetries: -1})
	ctx := context.Background()
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	cut := make(chan struct{}, 1)
	p.Judge(func([]byte) redistest.Verdict {
		select {
		case cut <- struct{}{}:
			return redistest.Cut
		default:
			return redistest.Pass
		}
	})
	if err := c.Ping(ctx).Err(); err == nil {
		t.Fatal("the connection was not cut")
	}
	p.Judge(nil)
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatalf("a new connection: %v", err)
	}
}

func TestDelayHoldsUpBothWays(t *testing.T) {
	s := shared.Get(t)
	p := s.NewProxy(t)
	c := s.ClientOf(t, &redis.Options{Addr: p.Addr})
	ctx := context.Background()
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	const delay = 50 * time.Millisecond
	p.Delay(delay, delay)
	begin := time.Now()
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 2*delay {
		t.Errorf("it took %v; want %v each way", took, delay)
	}
}
