package redis_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// Tokens are text in every answer, for a script's language would round them when it turns them into text by itself.
func TestTokensKeepAllTheirDigits(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	const last = 1<<52 - 100 // with a unit digit that matters
	b.client.HSet(b.ctx, b.hash("n"), "t", fmt.Sprint(uint64(last)))
	for i := range uint64(3) {
		g := b.acquire(c, mutex("n", time.Minute))
		if g.Token != last+1+i {
			t.Errorf("token %d, want %d", g.Token, last+1+i)
		}
		if s := b.inspect(c, "n"); s.Token != g.Token || s.Holders[0].Token != g.Token {
			t.Errorf("Inspect shows %+v, want token %d", s, g.Token)
		}
		b.release(c, g)
	}
}

func TestPrefixesAreIndependent(t *testing.T) {
	b := newBed(t, server.Get(t))
	var all []*redis.Backend
	for _, p := range []string{"a", "a*", "a?", "[ab]"} { // a pattern of one may match the keys of another
		c := b.open(redis.WithPrefix(b.prefix + p))
		b.acquire(c, mutex("n", time.Minute))
		b.acquire(c, mutex("m"+p, time.Minute))
		all = append(all, c)
	}
	for _, c := range all {
		n := 0
		for s, err := range c.List(b.ctx) {
			if err != nil || len(s.Holders) != 1 {
				t.Errorf("List yields %+v, %v", s, err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("List yields %d names, want the 2 of its own prefix", n)
		}
	}
}

// The log loses its tail, as when the power fails: the last grant is forgotten, and the next one's token is larger all
// the same.
func TestLogThatLostItsTailKeepsTokensIncreasing(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"))
	c := b.open()
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	g := b.acquire(c, mutex("n", time.Minute))
	b.server.Kill()
	logs, err := filepath.Glob(filepath.Join(b.server.Dir(), "appendonlydir", "*.incr.aof"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs: %q, %v", logs, err)
	}
	info, err := os.Stat(logs[0])
	if err == nil {
		err = os.Truncate(logs[0], info.Size()-40)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.server.Restart(t)
	if r := b.renew(c, g, time.Minute); !errors.Is(r.Err, backends.ErrLost) {
		t.Errorf("Renew of a forgotten grant: %v, want ErrLost", r.Err)
	}
	h := b.acquire(c, mutex("n", time.Minute))
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(c, h)
}

// A holder of whose server nothing is heard stops by its own clock.
func TestHolderOfAnAbsentServerStopsByItsOwnClock(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	l, err := b.managed(b.open(), time.Second).Lock("n").Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.server.Kill()
	<-l.Context().Done()
	var lost *backends.LostError
	if !errors.As(l.Err(), &lost) || lost.Reason != backends.Expired {
		t.Errorf("the lease ended with %v, want expired", l.Err())
	}
	b.server.Restart(t) // so that closing has somebody to talk to
}

// CLIENT PAUSE holds up renewals and not the time.
func TestRenewalThatWaitedOutAPauseRevivesNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	c := b.open()
	const ttl = 200 * time.Millisecond
	warm := b.acquire(c, mutex("warm", time.Minute))
	b.renew(c, warm, time.Minute) // the server knows the script, the connection is open
	g := b.acquire(c, mutex("n", ttl))
	if err := b.client.Do(b.ctx, "CLIENT", "PAUSE", 3*ttl.Milliseconds(), "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	if r := b.renew(c, g, ttl); !errors.Is(r.Err, backends.ErrLost) {
		t.Errorf("Renew after the pause: %+v, want ErrLost", r)
	}
}

func TestDeadHeadIsSkippedAndTheOthersKeepTheirOrder(t *testing.T) {
	b := newBed(t, server.Get(t))
	beat := redis.WithHeartbeat(100 * time.Millisecond)
	holder := b.open(beat)
	g := b.acquire(holder, mutex("n", time.Hour))
	dead, err := redis.New(b.client, redis.WithPrefix(b.prefix), redis.WithHeartbeat(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	gone := b.queue(dead, mutex("n", time.Hour))
	var clients []*redis.Backend
	var waits []*waiting
	for range 4 {
		c := b.open(beat)
		clients, waits = append(clients, c), append(waits, b.queue(c, mutex("n", time.Hour)))
	}
	dead.Crash()
	b.release(holder, g)
	last := g.Token
	for i, w := range waits {
		h := w.granted() // its predecessor has released: out of order would wait for ever
		if h.Token <= last {
			t.Errorf("token %d after %d", h.Token, last)
		}
		last = h.Token
		for _, later := range waits[i+1:] {
			select {
			case <-later.ended:
				t.Error("a later waiter was granted first")
			default:
			}
		}
		b.release(clients[i], h)
	}
	gone.cancel()
}

func TestWaitersThatAllDiedLeaveNoQueue(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder := b.open()
	g := b.acquire(holder, mutex("n", time.Hour))
	for range 3 {
		dead, err := redis.New(b.client, redis.WithPrefix(b.prefix)) // beats slowly enough for a busy machine
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			b.queue(dead, mutex("n", time.Hour))
		}
		dead.Crash()
	}
	b.release(holder, g)
	b.release(holder, b.acquire(holder, mutex("n", time.Hour)))
	if n := b.client.Exists(b.ctx, b.hash("n")+":q").Val(); n != 0 {
		t.Error("a queue of dead waiters is left")
	}
}
