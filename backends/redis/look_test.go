package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// writes are the commands by which scripts change something.
var writes = []string{"hset", "hdel", "zadd", "zrem", "del", "pexpireat", "publish"}

// A heartbeat that finds nothing changed is one command for all names, reads each name once, and
// writes nothing, for every kind of lock.
func TestHeartbeatWritesNothingWhereNothingChanged(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	holder, c := b.open(redis.WithHeartbeat(time.Minute)), b.open(redis.WithHeartbeat(time.Minute))
	names := 0
	for _, u := range usages {
		for i := range 3 {
			p := &partial{bed: b, usage: u, name: fmt.Sprint(u.what, i)}
			p.use(holder, c)
			names++
		}
	}
	b.until("the inboxes are open and what follows is over", func() bool { return c.Listens() && holder.Listens() })
	b.server.ResetCalls(t)
	for range 8 { // the last of them, or one before, looks in full
		c.LookAgain()
		b.until("the answer is there", c.Listens)
	}
	calls := b.server.Calls(t)
	for _, w := range writes {
		if calls[w] != 0 {
			t.Errorf("%d times %s", calls[w], w)
		}
	}
	if calls["evalsha"] != 8 || calls["zscore"] != int64(7*2*names) || calls["zcard"] != int64(2*names) {
		t.Errorf("%d commands, %d times ZSCORE, %d times ZCARD; want 8 commands, 7 glimpses and a look at each of %d names",
			calls["evalsha"], calls["zscore"], calls["zcard"], names)
	}
}

// A waiter stays alive by its heartbeats, although not each of them says so.
func TestWaiterStaysAlive(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	holder, c := b.open(), b.open(redis.WithHeartbeat(200*time.Millisecond))
	g := b.acquire(holder, mutex("n", time.Hour))
	r := mutex("n", time.Minute)
	events := make(chan backends.Event, 64)
	r.Notify = func(e backends.Event) { events <- e }
	w := b.queue(c, r)
	b.until("the inboxes are open and what follows is over", func() bool { return c.Listens() })
	b.server.ResetCalls(t)
	var calls map[string]int64
	b.until("twenty heartbeats", func() bool { calls = b.server.Calls(t); return calls["evalsha"] >= 20 })
	if n := calls["hset"]; n == 0 || n > calls["evalsha"]*3/4 {
		t.Errorf("%d of %d heartbeats said that it is alive, want about half", n, calls["evalsha"])
	}
	b.release(holder, g)
	b.release(c, w.granted())
	for len(events) > 0 {
		if e := <-events; e.Type == backends.Requeued {
			t.Error("it was taken for dead, and queued again")
		}
	}
}
