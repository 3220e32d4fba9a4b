package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// modest is a request that can do with less than its time to live at first.
func modest(name string, ttl, least time.Duration) backends.Request {
	r := mutex(name, ttl)
	r.MinValid = least
	return r
}

// deaf is a client that the server's messages do not reach: the test does.
type deaf struct {
	*redis.Backend
	bed *bed
	spy *goredis.PubSub
}

func (b *bed) deaf(opts ...redis.Option) *deaf {
	p := b.server.NewProxy(b)
	p.Judge(func(r []byte) redistest.Verdict {
		if strings.Contains(string(r), "subscribe") {
			return redistest.Swallow
		}
		return redistest.Pass
	})
	d := &deaf{Backend: b.through(p, opts...), bed: b}
	d.spy = b.client.Subscribe(b.ctx, d.Channel())
	b.Cleanup(func() { d.spy.Close() })
	if _, err := d.spy.Receive(b.ctx); err != nil {
		b.Fatal(err)
	}
	return d
}

// message returns the next message that the client does not hear.
func (d *deaf) message() string {
	d.bed.Helper()
	m, err := d.spy.ReceiveMessage(d.bed.ctx)
	if err != nil {
		d.bed.Fatal(err)
	}
	return m.Payload
}

// missed queues r behind a hold of holder's, which is released. It returns r's wait and the message of its grant.
func (d *deaf) missed(holder *redis.Backend, r backends.Request) (w *waiting, message string) {
	d.bed.Helper()
	g := d.bed.acquire(holder, mutex(r.Name, time.Minute))
	w = d.bed.queue(d.Backend, r)
	d.bed.release(holder, g)
	return w, d.message()
}

var slow = redis.WithHeartbeat(time.Minute) // nothing but a message can bring a grant

// A waiter whose process knows what it needs holds when the message has come, without a command: a hand-off between processes is one command
// and one message.
func TestMessageMakesAHolder(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *redistest.Server{
		"single":  func(t *testing.T) *redistest.Server { return server.Get(t) },
		"cluster": func(t *testing.T) *redistest.Server { return startCluster(t) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, start(t))
			client := func() *redis.Backend {
				if name == "single" {
					return b.open(slow)
				}
				c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{b.server.Addr}})
				t.Cleanup(func() { c.Close() })
				return open(t, c, redis.WithPrefix(b.prefix), slow)
			}
			r := modest("n", time.Hour, 10*time.Second)
			holder := client()
			b.release(holder, b.acquire(holder, r)) // the server knows the scripts
			g := b.acquire(holder, r)
			b.until("the holder listens", holder.Listens)
			clients := []*redis.Backend{client(), client()}
			var waits []*waiting
			for _, c := range clients {
				waits = append(waits, b.queue(c, r))
				b.until("the client listens", c.Listens)
			}
			for i, c := range clients {
				b.server.ResetCalls(t)
				b.release(holder, g)
				h := waits[i].granted()
				calls := b.server.Calls(t)
				if calls["evalsha"] != 1 || calls["publish"] != 1 {
					t.Errorf("a hand-off took %d commands and %d messages", calls["evalsha"], calls["publish"])
				}
				s := b.inspect(c, "n")
				if len(s.Holders) != 1 || s.Holders[0].ID != h.ID || s.Holders[0].Token != h.Token || h.Token <= g.Token {
					t.Errorf("granted %+v after token %d, the server has %+v", h, g.Token, s.Holders)
				}
				if h.Contended != (i == 0) {
					t.Errorf("waiter %d: contended is %v", i, h.Contended)
				}
				if left := time.Until(h.ValidUntil); left < 10*time.Second || left > 70*time.Second { // what it needs, and a heartbeat
					t.Errorf("valid for %v", left)
				}
				if a := b.renew(c, h, time.Hour); a.Err != nil || !a.ValidUntil.After(h.ValidUntil) {
					t.Errorf("Renew: %+v", a)
				}
				holder, g = c, h
			}
			b.release(holder, g)
		})
	}
}

// One command grants to a few hundred at most. Whoever comes next is told, and has the queue move on.
func TestManyReadersEnterTogether(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(slow), b.open(slow)
	w := modest("n", time.Hour, 10*time.Second)
	w.Kind, w.Capacity, w.Weight = backends.ReadWrite, backends.ReadWriteCapacity, backends.ReadWriteCapacity
	r := w
	r.Weight = 1
	g := b.acquire(holder, w)
	const readers = 600
	var waits []*waiting
	for range readers {
		waits = append(waits, b.start(c, r))
	}
	b.until("all are queued", func() bool { return len(b.inspect(holder, "n").Waiters) == readers })
	b.until("the client listens", c.Listens)
	b.release(holder, g)
	for _, w := range waits {
		w.granted()
	}
}

func TestMessageHeardTwiceGrantsOnce(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(slow), b.deaf(slow)
	w, m := c.missed(holder, modest("n", time.Minute, time.Second))
	c.Hear(m)
	h := w.granted()
	c.Hear(m)
	if s := b.inspect(holder, "n"); len(s.Holders) != 1 || s.Holders[0].ID != h.ID {
		t.Errorf("heard again while it holds: %+v", s.Holders)
	}
	b.release(c.Backend, h)
	g := b.acquire(holder, mutex("n", time.Minute))
	c.Hear(m)
	if err := c.Close(b.ctx); err != nil { // and with it, that what it gave back has been
		t.Fatal(err)
	}
	if s := b.inspect(holder, "n"); len(s.Holders) != 1 || s.Holders[0].ID != g.ID || len(s.Waiters) != 0 {
		t.Errorf("heard again after the release: %+v", s)
	}
	b.release(holder, g)
}

func TestMessageForARequestThatWasCancelledGrantsNothing(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(slow), b.deaf(slow)
	w, m := c.missed(holder, modest("n", time.Minute, time.Second))
	w.cancel()
	<-w.ended
	if !errors.Is(w.err, context.Canceled) {
		t.Errorf("a cancelled Acquire = %+v, %v", w.grant, w.err)
	}
	c.Hear(m)
	b.release(holder, b.acquire(holder, mutex("n", time.Minute)))
	if err := c.Close(b.ctx); err != nil {
		t.Fatal(err)
	}
	if s := b.inspect(holder, "n"); len(s.Holders)+len(s.Waiters) != 0 {
		t.Errorf("left: %+v", s)
	}
}

// A message that comes when the grant is over makes its waiter ask, and not a holder.
func TestMessageThatComesTooLateMakesTheWaiterAsk(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(slow), b.deaf(slow)
	w, m := c.missed(holder, modest("n", backends.MinTTL, backends.MinTTL/4))
	b.until("the grant is over", func() bool { return len(b.inspect(holder, "n").Holders) == 0 })
	c.Hear(m)
	h := w.granted()
	if old := fmt.Sprintf(":%d:", h.Token); strings.Contains(m, old) {
		t.Errorf("token %d is that of the message %q", h.Token, m)
	}
	if err := backends.Release(b.ctx, c, h); err != nil && !errors.Is(err, backends.ErrLost) {
		t.Errorf("Release: %v", err)
	}
}

// A grant whose message was lost is found by the heartbeat, and then asked for.
func TestGrantWhoseMessageWasLostIsFoundByTheHeartbeat(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(), b.deaf(redis.WithHeartbeat(100*time.Millisecond))
	g := b.acquire(holder, mutex("n", time.Minute))
	w := b.queue(c.Backend, modest("n", time.Minute, 300*time.Millisecond))
	b.release(holder, g)
	h := w.granted()
	if left := time.Until(h.ValidUntil); left < 10*time.Second {
		t.Errorf("valid for %v, as if the message had come", left)
	}
	b.release(c.Backend, h)
}

// Messages that nobody sent, or that are of an earlier place in the queue, make nobody a holder.
func TestForgedMessagesGrantNothing(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder, c := b.open(slow), b.open(slow)
	g := b.acquire(holder, mutex("n", time.Minute))
	w := b.queue(c, modest("n", time.Minute, time.Second))
	b.listening(c)
	id := b.inspect(c, "n").Waiters[0].ID.String()
	now := time.Now().UnixMicro()
	secret := strings.Fields(b.client.HGet(b.ctx, b.hash("n"), "w:"+id).Val())[3]
	for _, m := range []string{
		fmt.Sprintf("g0 1:%d:%d:0 n", now, now), fmt.Sprintf("g1 1:%d:%d:%d n", now, now, now), "g0 1 n", "g0 1: n", "g1 1:1:1 n",
		"g0 1:x:y:z n", "g0 ff:1:1:1,1:2:3:4,zz n", "g0 1:1:1:" + secret + " other",
		fmt.Sprintf("g0 1:%d:%d:%s n", now, now-time.Minute.Microseconds(), secret), // of a place that it had before
		"g0 1:0:0:0 ", "g0", "g2 1 n", "o 1 n", "", "c  n", "b  n", "x y z",
	} {
		b.client.Publish(b.ctx, c.Channel(), m)
	}
	if s := b.inspect(c, "n"); len(s.Holders) != 1 || s.Holders[0].ID != g.ID {
		t.Errorf("holders after forged messages: %+v", s.Holders)
	}
	select {
	case <-w.ended:
		t.Fatalf("a forged message granted %+v, %v", w.grant, w.err)
	default:
	}
	b.release(holder, g)
	b.release(c, w.granted())
}

// stopped is a helper process that waits for a mutex, and says what it was granted: args address, prefix, name, time to live.
func stopped(c *proctest.Child) error {
	b, r, err := helper(c.Args)
	if err != nil {
		return err
	}
	r.MinValid = 50 * time.Millisecond
	g, err := backends.Acquire(context.Background(), b, r)
	if err != nil {
		return err
	}
	c.Say("held %d", g.Token)
	if err := backends.Release(context.Background(), b, g); err != nil {
		return err
	}
	return b.Close(context.Background())
}
