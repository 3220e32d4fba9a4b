package redis_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// refused checks that a server that refuses everything for now ends no lease and is not called busy.
func (b *bed) refused(c *redis.Backend, g backends.Grant, word string) {
	b.Helper()
	r := b.renew(c, g, time.Minute)
	if !errors.Is(r.Err, backends.ErrUnavailable) || errors.Is(r.Err, backends.ErrLost) || !strings.Contains(r.Err.Error(), word) {
		b.Errorf("Renew: %v, want ErrUnavailable for %s", r.Err, word)
	}
	_, err := backends.TryAcquire(b.ctx, c, mutex("other", time.Minute))
	if !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrBusy) {
		b.Errorf("TryAcquire: %v, want ErrUnavailable", err)
	}
}

func TestBusyScriptOfSomebodyElseEndsNoLease(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t, "--busy-reply-threshold", "50"))
	c := b.open()
	g := b.acquire(c, mutex("n", time.Minute))
	hog := b.server.ClientOf(t, &goredis.Options{ReadTimeout: -1, MaxRetries: -1})
	ended := make(chan error, 1)
	go func() { ended <- hog.Eval(b.ctx, "while true do end", nil).Err() }()
	b.until("the server is busy", func() bool { return goredis.HasErrorPrefix(b.client.Ping(b.ctx).Err(), "BUSY") })
	b.refused(c, g, "BUSY")
	b.client.ScriptKill(b.ctx)
	<-ended
	if r := b.renew(c, g, time.Minute); r.Err != nil {
		t.Errorf("Renew afterwards: %v", r.Err)
	}
	b.release(c, g)
}

func TestServerThatCannotSaveEndsNoLease(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t, "--save", "3600 1000000"))
	c := b.open()
	g := b.acquire(c, mutex("n", time.Minute))
	// The snapshot cannot take the place of a folder.
	if err := os.Mkdir(filepath.Join(b.server.Dir(), "dump.rdb"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.client.BgSave(b.ctx)
	b.until("the server refuses to write", func() bool {
		return goredis.HasErrorPrefix(b.client.Set(b.ctx, "k", "v", 0).Err(), "MISCONF")
	})
	b.refused(c, g, "MISCONF")
	if err := backends.Release(b.ctx, c, g); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Release: %v, want ErrUnavailable", err)
	}
	if err := b.client.ConfigSet(b.ctx, "stop-writes-on-bgsave-error", "no").Err(); err != nil {
		t.Fatal(err)
	}
	next := b.open()
	b.release(next, b.acquire(next, mutex("n", time.Minute))) // it was released as soon as the server wrote again
}

func TestServerThatLoadsEndsNoLease(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"))
	c := open(t, b.server.ClientOf(t, &goredis.Options{MaxRetries: -1}), redis.WithPrefix(b.prefix))
	g := b.acquire(c, mutex("n", time.Minute))
	p := b.client.Pipeline()
	for i := range 2000 { // two seconds to load
		p.Set(b.ctx, "filler"+strconv.Itoa(i), "some bytes, for events are handled between so many of them", 0)
	}
	p.Save(b.ctx)
	if _, err := p.Exec(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.server.RestartLoading(t)
	b.until("asked while it loads, and renewed in the end", func() bool {
		r := b.renew(c, g, time.Minute)
		if r.Err != nil && !errors.Is(r.Err, backends.ErrUnavailable) {
			t.Fatalf("Renew: %v, want ErrUnavailable at worst", r.Err)
		}
		return r.Err == nil
	})
	b.release(c, g)
}

func TestFullServerRefusesOnlyNewConnections(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	c, late := b.open(), b.open()
	g := b.acquire(c, mutex("n", time.Minute))
	b.renew(c, g, time.Minute) // over a connection of its own
	if err := b.client.ConfigSet(b.ctx, "maxclients", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := backends.TryAcquire(b.ctx, late, mutex("m", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("TryAcquire over a new connection: %v, want ErrUnavailable", err)
	}
	b.until("its inbox was refused several times", func() bool {
		b.client.ClientKillByFilter(b.ctx, "TYPE", "pubsub") // it may have come in just before
		n := regexp.MustCompile(`rejected_connections:(\d+)`).FindStringSubmatch(b.client.Info(b.ctx, "stats").Val())
		return len(n) == 2 && len(n[1]) > 1
	})
	if r := b.renew(c, g, time.Minute); r.Err != nil {
		t.Errorf("Renew: %v", r.Err)
	}
	b.release(c, g)
	if err := b.client.ConfigSet(b.ctx, "maxclients", "100").Err(); err != nil {
		t.Fatal(err)
	}
}

// Eviction is data loss: the holder is told at its next renewal, and tokens go on.
func TestEvictionIsToldToTheHolder(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	for _, policy := range []string{"volatile-ttl", "allkeys-lru"} {
		c := b.open()
		g := b.acquire(c, mutex("n", time.Minute))
		b.client.ConfigSet(b.ctx, "maxmemory-policy", policy)
		b.client.ConfigSet(b.ctx, "maxmemory", "1")
		b.until("the lock is evicted", func() bool {
			b.client.Set(b.ctx, "filler", "x", time.Hour)
			return b.client.Exists(b.ctx, b.hash("n")).Val() == 0
		})
		b.client.ConfigSet(b.ctx, "maxmemory", "0")
		if r := b.renew(c, g, time.Minute); !errors.Is(r.Err, backends.ErrLost) {
			t.Errorf("%s: Renew of what was evicted: %v, want ErrLost", policy, r.Err)
		}
		h := b.acquire(c, mutex("n", time.Minute))
		if h.Token <= g.Token {
			t.Errorf("%s: token %d after %d", policy, h.Token, g.Token)
		}
		b.release(c, h)
	}
}

// A user that is deleted while they hold: their connections end, and so does the lease, when its time is over. Nothing is
// called busy, and nothing is taken for lost before.
func TestDeletedUserHoldsUntilTheirTimeIsOver(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	c := open(t, b.login("leaver", "~*", "&*", "+@all"), redis.WithPrefix(b.prefix))
	l, err := b.managed(c, time.Second).Lock("n").Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.client.ACLDelUser(b.ctx, "leaver").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := backends.TryAcquire(b.ctx, c, mutex("n", time.Minute)); !errors.Is(err, backends.ErrPermission) {
		t.Errorf("TryAcquire: %v, want ErrPermission", err)
	}
	<-l.Context().Done()
	var lost *backends.LostError
	if !errors.As(l.Err(), &lost) || lost.Reason != backends.Expired {
		t.Errorf("the lease ended with %v, want expired", l.Err())
	}
	b.login("leaver", "~*", "&*", "+@all") // so that its requests on the server are given back
}

// The server cuts a subscriber whose messages pile up. What was sent meanwhile is found when it has subscribed again.
func TestInboxCutByTheServersBufferLimitIsReplaced(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	slow := redis.WithHeartbeat(time.Minute)
	holder, c := b.open(slow), b.open(slow)
	g := b.acquire(holder, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c)
	b.listening(holder)
	ids := regexp.MustCompile(`\bid=\d+`)
	subscribers := func() string {
		list := b.client.Do(b.ctx, "CLIENT", "LIST", "TYPE", "pubsub").String()
		return strings.Join(ids.FindAllString(list, -1), " ")
	}
	before := subscribers()
	if err := b.client.ConfigSet(b.ctx, "client-output-buffer-limit", "pubsub 1024 0 0").Err(); err != nil {
		t.Fatal(err)
	}
	b.client.Publish(b.ctx, c.Channel(), strings.Repeat("junk ", 200_000))
	b.until("the subscription was cut", func() bool { return subscribers() != before })
	b.release(holder, g)
	b.release(c, w.granted())
}
