package redisd

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestSilentProxyAnswersNothingAndClosesNothing(t *testing.T) {
	s := start(t)
	p, err := NewProxy(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Addr: p.Addr, MaxRetries: -1, ReadTimeout: time.Minute})
	sub := redis.NewClient(&redis.Options{Addr: p.Addr})
	defer func() {
		for _, end := range []func() error{c.Close, sub.Close, p.Close} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	}()
	inbox := sub.Subscribe(t.Context(), "inbox")
	if _, err := inbox.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.SilenceSubscriptions()
	if n, err := c.Publish(t.Context(), "inbox", "x").Result(); err != nil || n != 1 {
		t.Errorf("publish beside a silent subscription: %d receivers, %v; want 1", n, err)
	}
	if m, err := inbox.ReceiveTimeout(t.Context(), 50*time.Millisecond); err == nil {
		t.Errorf("a silent subscription received %v", m)
	}
	p.Silence()
	if err := c.WithTimeout(50 * time.Millisecond).Ping(t.Context()).Err(); err == nil {
		t.Error("a ping through a silent proxy was answered")
	}
	if err := inbox.Close(); err != nil {
		t.Error(err)
	}
}
