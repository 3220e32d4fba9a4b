package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// An acquire that was given up may reach the server after the command that gave it up.
func TestAcquireThatArrivesAfterItsCancellationHasNoEffect(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute)))

	late, arrived := make(chan struct{}), make(chan struct{})
	p.Judge(once("evalsha", func() redistest.Verdict {
		close(arrived)
		<-late
		return redistest.DropReply
	}))
	ctx, cancel := context.WithCancel(b.ctx)
	go func() { <-arrived; cancel() }()
	if _, err := backends.Acquire(ctx, c, mutex("n", time.Minute)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Acquire: %v, want context.Canceled", err)
	}
	b.server.ResetCalls(t)
	close(late)
	b.until("the late acquire has been executed", func() bool { return b.server.Calls(t)["evalsha"] > 0 })
	if s := b.inspect(other, "n"); len(s.Holders) != 0 || len(s.Waiters) != 0 {
		t.Fatalf("the late acquire took effect: %+v", s)
	}
	b.release(other, b.acquire(other, mutex("n", time.Minute)))
}

// What forbids an acquire that may still come is kept for as long as it can come, and not for as long as a token.
func TestAbandonedAcquireLeavesNothingForLong(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	b.release(c, b.acquire(c, mutex("other", time.Minute)))
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	p.Judge(once("evalsha", func() redistest.Verdict {
		cancel()
		return redistest.Swallow
	}))
	if _, err := backends.Acquire(ctx, c, mutex("n", time.Minute)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Acquire: %v, want context.Canceled", err)
	}
	b.until("it is forbidden", func() bool { return b.client.Exists(b.ctx, b.hash("n")).Val() == 1 })
	for _, key := range []string{b.hash("n"), b.hash("n") + ":d"} {
		if ttl := b.client.PTTL(b.ctx, key).Val(); ttl < 50*time.Second || ttl > 62*time.Second {
			t.Errorf("%q expires in %v, want about a minute", key, ttl)
		}
	}
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	if ttl := b.client.PTTL(b.ctx, b.hash("n")+":d").Val(); ttl > 62*time.Second {
		t.Errorf("the deadlines expire in %v, want about a minute", ttl)
	}
}

// Validity counts from before the request was sent, so an answer that comes late enough grants nothing: then the server is asked again.
func TestGrantThatComesAfterItsTimeIsAskedForAgain(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	c, other := b.through(p), b.open()
	const ttl = 100 * time.Millisecond
	b.release(c, b.acquire(c, mutex("n", ttl)))
	p.Judge(once("evalsha", func() redistest.Verdict {
		<-time.After(2 * ttl) // the fault itself: the request is held up
		return redistest.Pass
	}))
	begin := time.Now()
	g := b.acquire(c, mutex("n", ttl))
	if g.ValidUntil.Before(begin.Add(2 * ttl)) {
		t.Errorf("valid until %v after the request, whose answer came after %v", g.ValidUntil.Sub(begin), 2*ttl)
	}
	b.release(other, b.acquire(other, mutex("n", ttl)))
}

func TestThousandsOfCancelledAcquiresLeaveNoTrace(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(), b.open()
	g := b.acquire(holder, mutex("n", time.Minute))
	const n = 3000
	ctx, cancel := context.WithCancel(b.ctx)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if _, err := backends.Acquire(ctx, c, mutex("n", time.Minute)); !errors.Is(err, context.Canceled) {
				t.Errorf("Acquire: %v, want context.Canceled", err)
			}
		})
	}
	b.until("some are queued, some on their way", func() bool { return len(b.inspect(holder, "n").Waiters) > n/2 })
	cancel()
	all.Wait()
	b.until("no waiter is left", func() bool { return b.client.Exists(b.ctx, b.hash("n")+":q").Val() == 0 })
	b.release(holder, g)
	for _, field := range b.client.HKeys(b.ctx, b.hash("n")).Val() {
		if strings.Contains(field, ":") && !strings.HasPrefix(field, "x:") {
			t.Errorf("field %q is left", field)
		}
	}
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
}

func TestGrantToACancelledWaiterGoesOnAtOnce(t *testing.T) {
	b := newBed(t, server.Get(t))
	slow := []redis.Option{redis.WithHeartbeat(time.Minute)} // nothing but the cancellation can bring the grant
	holder, c, next := b.open(slow...), b.open(slow...), b.open(slow...)
	for range 20 {
		g := b.acquire(holder, mutex("n", time.Minute))
		first := b.queue(c, mutex("n", time.Minute))
		w := b.queue(next, mutex("n", time.Minute))
		b.listening(next)
		go first.cancel()
		b.release(holder, g)
		<-first.ended
		if first.err == nil {
			b.release(c, first.grant)
		}
		b.release(next, w.granted())
	}
}
