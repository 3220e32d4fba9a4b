package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestCloseLeavesNoConnectionAndNoSubscription(t *testing.T) {
	b := newBed(t, server.Get(t))
	a, c := b.open(), b.open()
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c)
	if err := c.Close(b.ctx); err != nil {
		t.Fatal(err)
	}
	<-w.ended
	if !errors.Is(w.err, backends.ErrClosed) {
		t.Errorf("a waiting Acquire: %v, want ErrClosed", w.err)
	}
	b.until("the subscription is gone", func() bool { return b.client.PubSubNumSub(b.ctx, c.Channel()).Val()[c.Channel()] == 0 })
	b.release(a, g)
}

func TestCloseDoesNotWaitForAServerThatIsGone(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	b.acquire(c, mutex("n", time.Minute))
	p.BlackHole()
	ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v, want context.DeadlineExceeded", err)
	}
	if err := c.Close(b.ctx); err != nil { // goes on, and ends
		t.Errorf("Close: %v", err)
	}
}
