package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
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
	if _, err := backends.TryAcquire(ctx, a, mutex("other", time.Minute)); err == nil || errors.Is(err, backends.ErrBusy) {
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
	warm := b.acquire(a, mutex("warm", time.Minute))
	b.renew(a, warm, time.Minute) // the server knows the script, the connection is open
	g := b.acquire(a, mutex("n", ttl))
	b.server.Stop(t)
	answer := make(chan backends.Renewed, 1)
	go func() { answer <- b.renew(a, g, ttl) }() // waits in the socket
	<-time.After(2 * ttl)                        // the fault itself
	b.server.Cont(t)
	if r := <-answer; !errors.Is(r.Err, backends.ErrLost) {
		t.Errorf("renewal of a grant after its time: %+v, want ErrLost", r)
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
		"SWAPDB":   func(b *bed) error { return b.client.Do(b.ctx, "SWAPDB", 0, 1).Err() },
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
			if err := backends.Release(b.ctx, a, g); !errors.Is(err, backends.ErrLost) {
				t.Errorf("Release of a lost grant: %v, want ErrLost", err)
			}
			b.release(c, h)
		})
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
			b.client.HSet(b.ctx, b.hash(n), "v", "4", "d", "0", "q", "0", "t", "4611686018427387904")
			return b.hash(n)
		},
		"a string for the queue": func(n string) string { b.client.Set(b.ctx, b.hash(n)+":q", "junk", 0); return b.hash(n) + ":q" },
	} {
		t.Run(what, func(t *testing.T) {
			key := put(dashed(what))
			before := b.client.Dump(b.ctx, key).Val()
			if _, err := backends.TryAcquire(b.ctx, a, mutex(dashed(what), time.Minute)); !errors.Is(err, backends.ErrMismatch) {
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
	if _, err := backends.TryAcquire(b.ctx, a, mutex("new", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
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
