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
)

func TestUncontendedAcquireAndReleaseAreTwoCommands(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute))) // the server knows the scripts
	b.server.ResetCalls(t)
	const n = 50
	for range n {
		b.release(c, b.acquire(c, mutex("n", time.Minute)))
	}
	calls := b.server.Calls(t)
	// One more, at most, looks at what was held when the inbox opened.
	if got := calls["evalsha"] + calls["eval"]; got < 2*n || got > 2*n+1 {
		t.Errorf("%d script calls for %d grants, want %d: %v", got, n, 2*n, calls)
	}
	if calls["publish"] != 0 {
		t.Errorf("%d messages although nobody waits", calls["publish"])
	}
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
			if _, err := c.Acquire(ctx, mutex("n", time.Minute)); !errors.Is(err, context.Canceled) {
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

// Everything that stays behind has an expiry: not even a name that was used once stays for ever.
func TestAllKeysExpire(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	b.release(c, b.acquire(c, mutex("idle", time.Minute)))
	r := mutex("busy", time.Minute)
	r.Kind, r.Capacity = backends.Semaphore, 2
	b.acquire(c, r)
	b.acquire(c, r)
	b.queue(c, r)
	keys := b.client.Keys(b.ctx, b.prefix+"*").Val()
	if len(keys) != 4 { // the idle one's hash, and three
		t.Errorf("keys: %q", keys)
	}
	for _, k := range keys {
		if ttl := b.client.PTTL(b.ctx, k).Val(); ttl <= 0 || ttl > 30*time.Minute {
			t.Errorf("%q expires in %v", k, ttl)
		}
	}
}

func TestReleaseWakesExactlyTheNext(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder := b.open(redis.WithHeartbeat(time.Minute))
	g := b.acquire(holder, mutex("n", time.Minute))
	var waits []*waiting
	var clients []*redis.Backend
	for range 5 {
		c := b.open(redis.WithHeartbeat(time.Minute))
		clients = append(clients, c)
		for range 10 {
			waits = append(waits, b.queue(c, mutex("n", time.Minute)))
		}
		b.listening(c)
	}
	b.server.ResetCalls(t)
	b.release(holder, g)
	h := waits[0].granted()
	calls := b.server.Calls(t)
	if calls["publish"] != 1 || calls["evalsha"] != 2 {
		t.Errorf("a hand-off took %d messages and %d commands, want 1 and 2", calls["publish"], calls["evalsha"])
	}
	b.release(clients[0], h)
}

func TestPlaceLostIsToldAndTakenAgain(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(), b.open(redis.WithHeartbeat(50*time.Millisecond))
	g := b.acquire(holder, mutex("n", time.Minute))
	requeued := make(chan backends.Event, 16)
	r := mutex("n", time.Minute)
	r.Notify = func(e backends.Event) { requeued <- e }
	w := b.queue(c, r)
	b.listening(c)
	id := b.inspect(c, "n").Waiters[0].ID.String()
	b.client.ZRem(b.ctx, b.hash("n")+":q", id)
	b.client.HDel(b.ctx, b.hash("n"), "w:"+id)
	if e := <-requeued; e.Type != backends.Requeued {
		t.Errorf("event %v, want requeued", e.Type)
	}
	b.release(holder, g)
	b.release(c, w.granted())
}

func TestJunkInTheQueueIsSkipped(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(), b.open()
	g := b.acquire(holder, mutex("n", time.Minute))
	for _, junk := range []string{"junk", "0123456789abcdef-1", ""} {
		b.client.ZAdd(b.ctx, b.hash("n")+":q", z(junk))
	}
	w := b.start(c, mutex("n", time.Minute))
	b.listening(c)
	b.release(holder, g)
	b.release(c, w.granted())
}

// A message is a hint: a forged one makes nobody a holder.
func TestForgedOfferGrantsNothing(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(), b.open()
	g := b.acquire(holder, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c)
	for _, m := range []string{"o 1 n", "o 2 n", "o ff,1,zz n", "o 1 ", "o", "", "c  n", "b  n", "x y z", "o 1 other"} {
		b.client.Publish(b.ctx, c.Channel(), m)
	}
	s := b.inspect(c, "n")
	if len(s.Holders) != 1 || s.Holders[0].ID != g.ID {
		t.Errorf("holders after forged messages: %+v", s.Holders)
	}
	b.release(holder, g)
	b.release(c, w.granted())
}

// The queue offers what became free to its head, reserved for a while. An offer to a process that has died goes on to
// the next, long before the time to live of what it asked for.
func TestOfferToADeadClientGoesOn(t *testing.T) {
	b := newBed(t, server.Get(t))
	opts := []redis.Option{redis.WithPrefix(b.prefix), redis.WithHeartbeat(100 * time.Millisecond)}
	holder, next := b.open(opts...), b.open(opts...)
	dead, err := redis.New(b.client, opts...)
	if err != nil {
		t.Fatal(err)
	}
	g := b.acquire(holder, mutex("n", time.Hour))
	lost := b.queue(dead, mutex("n", time.Hour))
	b.listening(dead)
	w := b.queue(next, mutex("n", time.Hour))
	dead.Crash()
	b.release(holder, g)
	if s := b.inspect(next, "n"); len(s.Holders) != 1 || s.Holders[0].ID.Client == w.grant.ID.Client {
		t.Logf("the offer had lapsed before it could be seen: %+v", s)
	}
	b.release(next, w.granted())
	lost.cancel()
}

func TestCancelledOfferGoesOnAtOnce(t *testing.T) {
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
