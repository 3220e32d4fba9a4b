package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	goredis "github.com/redis/go-redis/v9"
)

func TestServerRestartedEmpty(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	a, c := b.open(), b.open(redis.WithHeartbeat(100*time.Millisecond))
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c)
	b.server.Restart(t)
	h := w.granted() // the request survives, although its place was lost
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	if r := b.renew(a, g, time.Minute); !errors.Is(r.Err, backends.ErrLost) {
		t.Errorf("Renew of a forgotten grant: %v, want ErrLost", r.Err)
	}
	b.release(c, h)
}

func TestWaitersSurviveAnAbsentServer(t *testing.T) {
	b := newBed(t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"))
	a, c := b.open(), b.open(redis.WithHeartbeat(100*time.Millisecond))
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c)
	b.server.Kill()
	ctx, cancel := context.WithTimeout(b.ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := a.TryAcquire(ctx, mutex("other", time.Minute)); err == nil || errors.Is(err, backends.ErrBusy) {
		t.Errorf("TryAcquire without a server: %v", err)
	}
	b.server.Restart(t)
	if r := b.renew(a, g, time.Minute); r.Err != nil {
		t.Errorf("Renew after a restart with a log: %v", r.Err)
	}
	b.release(a, g)
	b.release(c, w.granted())
}

func TestServerFrozenForLongerThanTheTimeToLive(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	a := b.open()
	const ttl = 200 * time.Millisecond
	g := b.acquire(a, mutex("n", ttl))
	b.server.Stop(t)
	answer := make(chan backends.Renewed, 1)
	go func() { answer <- b.renew(a, g, ttl) }() // waits in the socket
	<-time.After(2 * ttl)                        // the fault itself
	b.server.Cont(t)
	if r := <-answer; r.Err == nil {
		t.Error("a grant was renewed after its time")
	}
	if time.Now().Before(g.ValidUntil) {
		t.Error("the holder believes that it holds")
	}
	b.release(a, b.acquire(a, mutex("n", ttl)))
}

func TestDataLossIsNoticedAndTokensGoOn(t *testing.T) {
	for what, lose := range map[string]func(b *bed) error{
		"FLUSHALL": func(b *bed) error { return b.client.FlushAll(b.ctx).Err() },
		"DEL":      func(b *bed) error { return b.client.Del(b.ctx, b.hash("n")).Err() },
		"RENAME":   func(b *bed) error { return b.client.Rename(b.ctx, b.hash("n"), "elsewhere").Err() },
	} {
		t.Run(what, func(t *testing.T) {
			b := newBed(t, redistest.Start(t))
			a, c := b.open(), b.open(redis.WithHeartbeat(100*time.Millisecond))
			g := b.acquire(a, mutex("n", time.Minute))
			w := b.queue(c, mutex("n", time.Minute))
			b.listening(c) // so its answer has been handled
			if err := lose(b); err != nil {
				t.Fatal(err)
			}
			h := w.granted()
			if h.Token <= g.Token {
				t.Errorf("token %d after %d", h.Token, g.Token)
			}
			if err := a.Release(b.ctx, g); !errors.Is(err, backends.ErrLost) {
				t.Errorf("Release of a lost grant: %v, want ErrLost", err)
			}
			b.release(c, h)
		})
	}
}

func TestDeadlinesLostAloneFreeTheName(t *testing.T) {
	b := newBed(t, server.Get(t))
	a := b.open()
	r := mutex("n", time.Minute)
	r.Kind, r.Capacity = backends.Semaphore, 2
	b.acquire(a, r)
	g := b.acquire(a, r) // two grants have deadlines in a key of their own
	if n := b.client.Del(b.ctx, b.hash("n")+":d").Val(); n != 1 {
		t.Fatalf("%d keys of deadlines", n)
	}
	h := b.acquire(a, r)
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
}

func TestScriptFlushIsNotNoticed(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	a := b.open()
	for range 5 {
		b.client.ScriptFlush(b.ctx)
		g := b.acquire(a, mutex("n", time.Minute))
		b.client.ScriptFlush(b.ctx)
		if r := b.renew(a, g, time.Minute); r.Err != nil {
			t.Fatalf("Renew: %v", r.Err)
		}
		b.client.ScriptFlush(b.ctx)
		b.release(a, g)
	}
}

func TestForeignDataIsRefusedAndStays(t *testing.T) {
	b := newBed(t, server.Get(t))
	a := b.open()
	for what, put := range map[string]func(name string) (key string){
		"a string for the hash":   func(n string) string { b.client.Set(b.ctx, b.hash(n), "junk", 0); return b.hash(n) },
		"a hash without a format": func(n string) string { b.client.HSet(b.ctx, b.hash(n), "a", "b"); return b.hash(n) },
		"another version":         func(n string) string { b.client.HSet(b.ctx, b.hash(n), "v", "99"); return b.hash(n) },
		"a token out of range": func(n string) string {
			b.client.HSet(b.ctx, b.hash(n), "v", "1", "i", "1", "q", "0", "t", "4611686018427387904")
			return b.hash(n)
		},
		"a string for the queue": func(n string) string { b.client.Set(b.ctx, b.hash(n)+":q", "junk", 0); return b.hash(n) + ":q" },
	} {
		t.Run(what, func(t *testing.T) {
			key := put(dashed(what))
			before := b.client.Dump(b.ctx, key).Val()
			if _, err := a.TryAcquire(b.ctx, mutex(dashed(what), time.Minute)); !errors.Is(err, backends.ErrMismatch) {
				t.Errorf("TryAcquire: %v, want ErrMismatch", err)
			}
			if _, err := a.Inspect(b.ctx, dashed(what)); !errors.Is(err, backends.ErrMismatch) {
				t.Errorf("Inspect: %v, want ErrMismatch", err)
			}
			if b.client.Dump(b.ctx, key).Val() != before {
				t.Error("the data has changed")
			}
		})
	}
}

func dashed(what string) string {
	r := []rune(what)
	for i, c := range r {
		if c == ' ' {
			r[i] = '-'
		}
	}
	return string(r)
}

// One name that cannot be handled must not keep the others of its batch from being renewed.
func TestPoisonedNameDoesNotStopTheBatch(t *testing.T) {
	b := newBed(t, server.Get(t))
	a := b.open()
	g1, bad, g2 := b.acquire(a, mutex("1", time.Minute)), b.acquire(a, mutex("bad", time.Minute)), b.acquire(a, mutex("2", time.Minute))
	b.client.Set(b.ctx, b.hash("bad"), "junk", 0)
	answers := a.Renew(b.ctx, []backends.Renewal{
		{Grant: g1, TTL: time.Minute}, {Grant: bad, TTL: time.Minute}, {Grant: g2, TTL: time.Minute},
	})
	if answers[0].Err != nil || answers[2].Err != nil {
		t.Errorf("renewals beside the poisoned name: %v, %v", answers[0].Err, answers[2].Err)
	}
	if err := answers[1].Err; !errors.Is(err, backends.ErrMismatch) {
		t.Errorf("renewal of the poisoned name: %v, want ErrMismatch", err)
	}
}

func TestExhaustedMemory(t *testing.T) {
	b := newBed(t, redistest.Start(t))
	a := b.open()
	g := b.acquire(a, mutex("held", time.Minute))
	r := mutex("shared", time.Minute)
	r.Kind, r.Capacity = backends.Semaphore, 2
	g1, g2 := b.acquire(a, r), b.acquire(a, r)
	if err := b.client.ConfigSet(b.ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.TryAcquire(b.ctx, mutex("new", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("TryAcquire without memory: %v, want ErrUnavailable", err)
	}
	if n := b.client.Exists(b.ctx, b.hash("new")).Val(); n != 0 {
		t.Error("a refused acquire left a key")
	}
	for _, g := range []backends.Grant{g, g1, g2} {
		if r := b.renew(a, g, time.Minute); r.Err != nil {
			t.Errorf("Renew without memory: %v", r.Err)
		}
		b.release(a, g)
	}
}

func TestRights(t *testing.T) {
	s := redistest.Start(t)
	b := newBed(t, s)
	login := func(name string, rules ...string) *goredis.Client {
		args := append([]string{"on", ">secret-word"}, rules...)
		if err := b.client.ACLSetUser(b.ctx, name, args...).Err(); err != nil {
			t.Fatal(err)
		}
		return s.ClientOf(t, &goredis.Options{Username: name, Password: "secret-word"})
	}
	rights := []string{"~" + b.prefix + "*", "+@all"}

	t.Run("none to publish: waiters are granted by their heartbeat", func(t *testing.T) {
		c := open(t, login("mute", append(rights, "resetchannels")...),
			redis.WithPrefix(b.prefix), redis.WithHeartbeat(100*time.Millisecond))
		g := b.acquire(c, mutex("n", time.Minute))
		w := b.queue(c, mutex("n", time.Minute))
		b.release(c, g)
		b.release(c, w.granted())
	})
	t.Run("those in doc.go suffice", func(t *testing.T) {
		c := open(t, login("least", "resetchannels", "~"+b.prefix+"*", "&"+b.prefix+"*", "-@all", "+hello", "+client",
			"+evalsha", "+eval", "+subscribe", "+unsubscribe", "+publish", "+time", "+hmget", "+hset", "+hget", "+hgetall", "+hkeys",
			"+hlen", "+hdel", "+zadd", "+zrem", "+zcard", "+zscore", "+zrange", "+zrangebyscore", "+pexpireat", "+del", "+exists", "+scan"),
			redis.WithPrefix(b.prefix))
		r := mutex("least", time.Minute)
		r.Kind, r.Capacity = backends.Semaphore, 2
		g, g2 := b.acquire(c, r), b.acquire(c, r)
		w := b.queue(c, r)
		b.renew(c, g, time.Minute)
		b.release(c, g)
		b.release(c, w.granted())
		b.release(c, g2)
		if err := c.Break(b.ctx, "least"); err != nil {
			t.Error(err)
		}
		for _, err := range c.List(b.ctx) {
			t.Errorf("List: %v", err)
		}
	})
	t.Run("none to keys", func(t *testing.T) {
		c := open(t, login("stranger", "+@all", "~elsewhere"), redis.WithPrefix(b.prefix))
		_, err := c.TryAcquire(b.ctx, mutex("n", time.Minute))
		if !errors.Is(err, backends.ErrPermission) {
			t.Errorf("TryAcquire: %v, want ErrPermission", err)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		c := open(t, s.ClientOf(t, &goredis.Options{Username: "mute", Password: "guess"}), redis.WithPrefix(b.prefix))
		_, err := c.TryAcquire(b.ctx, mutex("n", time.Minute))
		if !errors.Is(err, backends.ErrPermission) {
			t.Errorf("TryAcquire: %v, want ErrPermission", err)
		}
	})
}

func TestWaitReplicas(t *testing.T) {
	primary := redistest.Start(t)
	b := newBed(t, primary)
	c := b.open(redis.WithWaitReplicas(1, 100*time.Millisecond))
	if g, err := c.TryAcquire(b.ctx, mutex("n", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		t.Fatalf("TryAcquire without a replica = %+v, %v; want ErrUnavailable", g, err)
	}
	plain := b.open()
	b.until("the unconfirmed grant is undone", func() bool { return len(b.inspect(plain, "n").Holders) == 0 })

	host, port := split(t, primary.Addr)
	replica := redistest.Start(t, "--replicaof", host, port)
	rc := replica.Client(t)
	b.until("the replica is in step", func() bool {
		n, err := b.client.Wait(b.ctx, 1, time.Second).Result()
		return err == nil && n == 1
	})
	patient := b.open(redis.WithWaitReplicas(1, 5*time.Second))
	g := b.acquire(patient, mutex("n", time.Minute))
	if rc.Exists(b.ctx, b.hash("n")).Val() != 1 {
		t.Error("the replica does not have the grant")
	}
	if r := b.renew(patient, g, time.Minute); r.Err != nil {
		t.Errorf("Renew: %v", r.Err)
	}
	replica.Stop(t)
	if r := b.renew(c, g, time.Minute); !errors.Is(r.Err, backends.ErrUnavailable) {
		t.Errorf("Renew with a frozen replica: %v, want ErrUnavailable", r.Err)
	}
	replica.Cont(t)
	b.release(c, g)
}

// Data of somebody else that takes the place of a queue ends the wait: it would never end by itself.
func TestForeignDataEndsTheWait(t *testing.T) {
	for what, put := range map[string]func(b *bed){
		"another type":    func(b *bed) { b.client.Set(b.ctx, b.hash("n"), "junk", 0) },
		"another version": func(b *bed) { b.client.HSet(b.ctx, b.hash("n"), "v", "99") },
	} {
		t.Run(what, func(t *testing.T) {
			b := newBed(t, server.Get(t))
			a, c := b.open(), b.open(redis.WithHeartbeat(50*time.Millisecond))
			b.acquire(a, mutex("n", time.Minute))
			w := b.queue(c, mutex("n", time.Minute))
			b.listening(c)
			put(b)
			<-w.ended
			if !errors.Is(w.err, backends.ErrMismatch) {
				t.Errorf("a waiting Acquire: %v, want ErrMismatch", w.err)
			}
		})
	}
}
