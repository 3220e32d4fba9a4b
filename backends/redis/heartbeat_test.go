package redis_test

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

func TestWaitingCostsOneCommandPerHeartbeat(t *testing.T) {
	b := newBed(t, server.Get(t))
	const beat = 100 * time.Millisecond
	holder, c := b.open(), b.open(redis.WithHeartbeat(beat))
	for _, name := range []string{"1", "2", "3"} {
		b.acquire(holder, mutex(name, time.Hour))
		for range 40 {
			b.start(c, mutex(name, time.Hour))
		}
		b.until("all are queued", func() bool { return len(b.inspect(holder, name).Waiters) == 40 })
	}
	b.listening(c)
	b.listening(holder)
	// What opening the inboxes caused is over when the same count is seen twice over a look's time; but nothing here
	// depends on it: the bound below leaves room for it.
	begin := time.Now()
	b.server.ResetCalls(t)
	var calls int64
	b.until("ten beats", func() bool { calls = b.server.Calls(t)["evalsha"]; return calls >= 10 })
	if most := int64(time.Since(begin)/beat) + 4; calls > most {
		t.Errorf("%d commands in %v, want at most %d", calls, time.Since(begin), most)
	}
}

// The first waiter notices a holder's death by its timer, though no message tells and the heart beats rarely.
func TestExpiryIsNoticedWithoutAHeartbeat(t *testing.T) {
	b := newBed(t, server.Get(t))
	dead, c := b.open(), b.open(redis.WithHeartbeat(20*time.Second))
	const ttl = 200 * time.Millisecond
	g := b.acquire(dead, mutex("n", ttl))
	w := b.queue(c, mutex("n", time.Minute))
	begin := time.Now()
	h := w.granted()
	t.Logf("granted %v after the holder's last sign", time.Since(begin))
	if !time.Now().After(g.ValidUntil) {
		t.Errorf("granted before the holder's time was over")
	}
	b.release(c, h)
}

// The answer to a heartbeat travels on another connection than messages and other answers do. What it says of a request that waited is out of
// date when the request has been granted meanwhile, and must not end the grant.
func TestHeartbeatOvertakenByAGrantEndsNothing(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(), b.open(redis.WithHeartbeat(20*time.Second))
	g := b.acquire(holder, mutex("n", time.Minute))
	r := mutex("n", time.Minute)
	events := make(chan backends.Event, 8)
	r.Notify = func(e backends.Event) { events <- e }
	w := b.queue(c, r)
	b.listening(c) // so its answer has been handled
	var h backends.Grant
	c.Overtake(func() {
		b.release(holder, g)
		h = w.granted()
	})
	select {
	case e := <-events:
		t.Errorf("the grant was lost to a heartbeat that it overtook: %v", e.Err)
	default: // the answer has been handled, and tells in its turn
	}
	b.release(c, h)
}
