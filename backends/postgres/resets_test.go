package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// storm cuts the connection of each statement with the word, so many times, and counts the statements.
func storm(p *redistest.Proxy, word string, cuts int64, verdict redistest.Verdict) (sent *atomic.Int64) {
	sent = new(atomic.Int64)
	p.Judge(func(b []byte) redistest.Verdict {
		if bytes.Contains(b, []byte(word)) && sent.Add(1) <= cuts {
			return verdict
		}
		return redistest.Pass
	})
	return sent
}

// endless is more connections than any test loses.
const endless = 1 << 30

// A request that waits goes on through any number of resets, and keeps the place that it got before.
func TestAWaiterSurvivesAStormOfResets(t *testing.T) {
	t.Parallel()
	const cuts = 10 // more than twice as many as one call makes attempts
	t.Run("of a free name", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, server.Get(t))
		c, p := b.proxied(t)
		sent := storm(p, ".take(", cuts, redistest.Cut)
		b.release(c, b.acquire(c, mutex("n", time.Minute)))
		if n := sent.Load(); n != cuts+1 {
			t.Errorf("%d statements for %d resets", n, cuts)
		}
	})
	t.Run("of a name that is held", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, server.Get(t))
		c, p := b.proxied(t)
		other := b.through(t, b.server.Addr)
		g := b.acquire(other, mutex("n", time.Minute))
		sent := storm(p, ".take(", cuts, redistest.DropReply)
		w := b.queue(c, mutex("n", time.Minute))
		last := b.queue(other, mutex("n", time.Minute))
		b.until("the storm is over", func() bool { return b.waiters("n") == 2 && sent.Load() > cuts })
		b.release(other, g)
		h := w.granted()
		if s, err := other.Inspect(b.ctx, "n"); err != nil || len(s.Waiters) != 1 {
			t.Errorf("%d others wait, %v; want 1", len(s.Waiters), err)
		}
		b.release(c, h)
		b.release(other, last.granted())
	})
}

// What does not wait has its answer after the attempts of one call: a try, and a request that has never
// reached the server. So has a request for several names, whose places would not be in one order.
func TestOthersAreUnavailableInAStormOfResets(t *testing.T) {
	t.Parallel()
	const attempts = 4
	try := func(b *bed, c *postgres.Backend) error {
		_, err := backends.TryAcquire(b.ctx, c, mutex("n", time.Minute))
		return err
	}
	one := func(b *bed, c *postgres.Backend) error {
		_, err := backends.Acquire(b.ctx, c, mutex("n", time.Minute))
		return err
	}
	two := func(b *bed, c *postgres.Backend) error {
		_, err := b.acquireAll(c, []backends.Request{mutex("n", time.Minute), mutex("m", time.Minute)})
		return err
	}
	for what, in := range map[string]struct {
		word string // in a statement; "": in any message, those that open a connection included
		call func(*bed, *postgres.Backend) error
	}{
		"a try":                         {".op(", try},
		"a request that was never sent": {"", one},
		"a try that was never sent":     {"", try},
		"a request for two names":       {".op(", two},
	} {
		t.Run(strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, server.Get(t))
			c, p := b.proxied(t)
			sent := storm(p, in.word, endless, redistest.Cut)
			if err := in.call(b, c); !errors.Is(err, backends.ErrUnavailable) {
				t.Errorf("%v; want ErrUnavailable", err)
			}
			if n := sent.Load(); n < attempts {
				t.Errorf("%d attempts; want %d", n, attempts)
			}
			p.Judge(nil) // what is taken back reaches the server
		})
	}
}

// The caller of a request that goes on may leave at any time, and Close does not wait for it.
func TestAStormOfResetsEndsWithTheCaller(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(b *bed, c *postgres.Backend, w *waiting){
		"its context ends": func(_ *bed, _ *postgres.Backend, w *waiting) { w.cancel() },
		"the store closes": func(b *bed, c *postgres.Backend, _ *waiting) {
			if err := c.Close(b.ctx); err != nil {
				b.Errorf("Close: %v", err)
			}
		},
	} {
		t.Run(strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, server.Get(t))
			c, p := b.proxied(t)
			const most = 4
			sent := storm(p, ".take(", endless, redistest.DropReply)
			w := b.start(c, mutex("n", time.Minute))
			b.until("one call has failed", func() bool { _ = b.waiters("n"); return sent.Load() > most })
			end(b, c, w)
			<-w.ended
			if !errors.Is(w.err, context.Canceled) && !errors.Is(w.err, backends.ErrClosed) {
				t.Errorf("Acquire: %v; want the end of the context, or ErrClosed", w.err)
			}
			other := b.through(t, b.server.Addr)
			b.release(other, b.acquire(other, mutex("n", time.Minute)))
		})
	}
}

// A function that answers something else fails a request: waiting on would be of no use.
func TestAnAnswerOfAnotherTypeFailsAWaiter(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	c := b.through(t, b.server.Addr)
	var args string
	err := b.conn.QueryRow(b.ctx, "SELECT pg_get_function_identity_arguments($1::regproc)", b.schema+".take").Scan(&args)
	if err != nil {
		t.Fatal(err)
	}
	b.exec("DROP FUNCTION " + b.schema + ".take")
	b.exec("CREATE FUNCTION " + b.schema + ".take(" + args + ") RETURNS text LANGUAGE sql AS $$ SELECT 'yes' $$")
	if _, err := backends.Acquire(b.ctx, c, mutex("n", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Acquire: %v; want ErrUnavailable", err)
	}
}
