package redis_test

import (
	"errors"
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
	// On a slow machine the inbox opens, and a look at what is held then. The server may not know that script, which makes two.
	if got := calls["evalsha"] + calls["eval"]; got < 2*n || got > 2*n+2 {
		t.Errorf("%d script calls for %d grants, want %d: %v", got, n, 2*n, calls)
	}
	if calls["publish"] != 0 {
		t.Errorf("%d messages although nobody waits", calls["publish"])
	}
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

// What becomes free is granted to the head of the queue, for a short while. A grant to a process that has died goes on to
// the next, long before the time to live of what it asked for.
func TestGrantToADeadClientGoesOn(t *testing.T) {
	for _, least := range []time.Duration{0, 100 * time.Millisecond} {
		b := newBed(t, server.Get(t))
		opts := []redis.Option{redis.WithPrefix(b.prefix), redis.WithHeartbeat(100 * time.Millisecond)}
		holder, next := b.open(opts...), b.open(opts...)
		dead, err := redis.New(b.client, opts...)
		if err != nil {
			t.Fatal(err)
		}
		g := b.acquire(holder, mutex("n", time.Hour))
		lost := b.queue(dead, modest("n", time.Hour, least))
		b.listening(dead)
		w := b.queue(next, mutex("n", time.Hour))
		dead.Crash()
		b.release(holder, g)
		b.release(next, w.granted())
		lost.cancel()
	}
}

// A busy try is one command, which says who holds the name too.
func TestABusyTryThatNamesTheHolderIsOneCommand(t *testing.T) {
	b := newBed(t, server.Get(t))
	c, other := b.open(), b.open()
	r := mutex("n", time.Minute)
	r.Owner = backends.Owner{Host: "db1", PID: 4711, Label: "backup"}
	b.acquire(c, r)
	try := func() {
		var busy *backends.BusyError
		if _, err := backends.TryAcquire(b.ctx, other, mutex("n", time.Minute)); !errors.As(err, &busy) {
			t.Fatalf("a try of what is held: %v", err)
		} else if busy.Holder.Owner != r.Owner {
			t.Fatalf("named %+v", busy.Holder)
		}
	}
	try() // the server knows the script
	b.server.ResetCalls(t)
	const n = 50
	for range n {
		try()
	}
	calls := b.server.Calls(t)
	// As above, a slow machine may make a look at what is held.
	if got := calls["evalsha"] + calls["eval"]; got < n || got > n+2 {
		t.Errorf("%d script calls for %d tries, want one for each: %v", got, n, calls)
	}
}
