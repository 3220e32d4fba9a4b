package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// lead makes a proxy lead to another server, as a service's address does after a failover.
func lead(p *redistest.Proxy, to *pgtest.Server) { p.Lead(&redistest.Server{Addr: to.Addr}) }

// settled is queue for a waiter that has heard that it is queued: its client has sent two heartbeats
// since. Before it hears so, a server that takes no writes may refuse the request when it is repeated.
func (b *bed) settled(c *postgres.Backend, r backends.Request) *waiting {
	b.Helper()
	w := b.queue(c, r)
	alive := func() (till int64) {
		b.Helper()
		err := b.conn.QueryRow(b.ctx, "SELECT max(till) FROM "+b.schema+".clients").Scan(&till)
		if err != nil {
			b.Fatal(err)
		}
		return till
	}
	for range 2 {
		was := alive()
		b.until("a heartbeat", func() bool { return alive() != was })
	}
	return w
}

// at returns the same bed with another server, which has the schema already.
func (b *bed) at(s *pgtest.Server) *bed {
	c := *b
	c.server = s
	c.conn = c.connect()
	return &c
}

// What a standby has received it keeps when it is promoted: a grant, a place in the queue, the last
// token. Then it grants nothing for the pause.
func TestPromotedStandbyKeepsGrantsAndPlaces(t *testing.T) {
	t.Parallel() // it mostly waits
	s := pgtest.Start(t)
	b := newBed(t, s)
	standby := s.Standby(t, s.Addr)
	p := (&redistest.Server{Addr: s.Addr}).NewProxy(t)
	x, y := b.through(t, p.Addr), b.through(t, p.Addr)
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.settled(y, mutex("n", time.Minute))
	d := b.at(standby)
	d.until("the standby has the place in the queue", func() bool { return d.waiters("n") == 1 })
	s.Kill()
	standby.Promote(t)
	promoted := time.Now()
	lead(p, standby)
	if r := d.renewed(x, g); r.Err != nil {
		t.Fatalf("Renew of a grant that the standby has: %v", r.Err)
	}
	_, err := backends.TryAcquire(b.ctx, x, mutex("other", time.Minute))
	if err == nil && time.Since(promoted) < 4*time.Second {
		t.Error("granted within the pause")
	} else if err != nil && !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("a try within the pause: %v; want ErrUnavailable", err)
	}
	select {
	case <-w.ended:
		t.Fatalf("the waiter has an answer while the name is held: %v", w.err)
	default:
	}
	d.until("the release is confirmed", func() bool {
		return !errors.Is(backends.Release(b.ctx, x, g), backends.ErrUnavailable)
	})
	h := w.granted()
	t.Logf("granted to the waiter %v after the promotion", time.Since(promoted))
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(y, h)
}

// A standby that lacks the last grants pauses for as long as those may last that were not flushed: no
// two hold a name.
func TestPromotedStandbyWaitsForGrantsThatItLacks(t *testing.T) {
	t.Parallel() // it mostly waits
	s := pgtest.Start(t)
	b := newBed(t, s)
	stream := (&redistest.Server{Addr: s.Addr}).NewProxy(t)
	standby := s.Standby(t, stream.Addr)
	p := (&redistest.Server{Addr: s.Addr}).NewProxy(t)
	x, y := b.through(t, p.Addr), b.through(t, p.Addr)
	b.release(x, b.acquire(x, mutex("n", time.Minute)))
	d := b.at(standby)
	d.until("the standby has the name, and the release", func() bool {
		return d.count("names") == 1 && d.count("requests") == 0
	})
	stream.Judge(func([]byte) redistest.Verdict { return redistest.Cut })
	stream.CutAll()
	const ttl = 4800 * time.Millisecond // not flushed, and no longer than the pause
	g := b.acquire(x, mutex("n", ttl))
	s.Kill()
	standby.Promote(t)
	lead(p, standby)
	if d.count("requests") != 0 {
		t.Fatal("the standby has the grant: nothing was lost")
	}
	begin := time.Now()
	var h backends.Grant
	b.until("another is granted the name", func() (is bool) {
		var err error
		h, err = backends.TryAcquire(b.ctx, y, mutex("n", time.Minute))
		if err != nil && !errors.Is(err, backends.ErrUnavailable) {
			t.Fatalf("TryAcquire: %v; want ErrUnavailable within the pause", err)
		}
		return err == nil
	})
	if left := time.Until(g.ValidUntil); left > 0 {
		t.Errorf("two holders: the first has %v left", left)
	}
	t.Logf("granted %v after the promotion, %v after the lost grant had ended", time.Since(begin), time.Since(g.ValidUntil))
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	if r := d.renewed(x, g); !errors.Is(r.Err, backends.ErrLost) {
		t.Errorf("Renew of the lost grant: %v; want ErrLost", r.Err)
	}
	b.release(y, h)
}

// count counts the rows of a table.
func (b *bed) count(table string) (n int) {
	b.Helper()
	if err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM "+b.schema+"."+table).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// A client that is led to a hot standby by mistake is refused everything, loses nothing, and goes on
// where it was when it is led back.
func TestHotStandbyByMistakeEndsNoLease(t *testing.T) {
	t.Parallel() // it mostly waits
	s, b, standby, p := withStandby(t)
	b.refusedFor(p.Addr, func() { lead(p, standby) }, func() { lead(p, s) })
}

// A pool keeps no connection to a server that takes no writes: when the address leads elsewhere, new
// ones find the master, although nothing has cut the old ones.
func TestConnectionsToAStandbyAreNotKept(t *testing.T) {
	t.Parallel() // it mostly waits
	s, b, standby, p := withStandby(t)
	b.refusedFor(p.Addr, func() { lead(p, standby) }, func() { p.Point(&redistest.Server{Addr: s.Addr}) })
}

// A server that was made read-only, as a full one often is, is like a hot standby.
func TestReadOnlyServerEndsNoLease(t *testing.T) {
	t.Parallel() // it mostly waits
	s := pgtest.Start(t)
	b := newBed(t, s)
	b.refusedFor(s.Addr, func() { b.readOnly("on") }, func() { b.readOnly("off") })
}

// withStandby starts a server, a standby of it, and a proxy that leads to the server.
func withStandby(t *testing.T) (s *pgtest.Server, b *bed, standby *pgtest.Server, p *redistest.Proxy) {
	t.Helper()
	s = pgtest.Start(t)
	b = newBed(t, s)
	return s, b, s.Standby(t, s.Addr), (&redistest.Server{Addr: s.Addr}).NewProxy(t)
}

// refusedFor checks that clients of an address which leads, from away to back, to a server that takes
// no writes are refused everything meanwhile, and lose nothing.
func (b *bed) refusedFor(addr string, away, back func()) {
	b.Helper()
	x, y := b.through(b, addr), b.through(b, addr)
	g, h := b.acquire(x, mutex("n", time.Minute)), b.acquire(x, mutex("m", time.Minute))
	w := b.settled(y, mutex("n", time.Minute))
	away()
	b.refuses(x, g, h)
	back()
	b.goesOn(x, y, g, h, w)
}

// readOnly makes the default of all transactions, which a session sees when it begins.
func (b *bed) readOnly(is string) {
	b.Helper()
	b.exec("SET default_transaction_read_only = off")
	b.exec("ALTER SYSTEM SET default_transaction_read_only = " + is)
	b.exec("SELECT pg_reload_conf()")
	b.until("new sessions have it", func() bool {
		var now string
		c := b.connect()
		defer c.Close(b.ctx)
		return c.QueryRow(b.ctx, "SHOW default_transaction_read_only").Scan(&now) == nil && now == is
	})
	b.terminate() // the others
}

// refuses checks that a server which takes no writes refuses all, and says nothing about who holds.
func (b *bed) refuses(c *postgres.Backend, g, unused backends.Grant) {
	b.Helper()
	if r := c.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0]; !errors.Is(r.Err, backends.ErrUnavailable) {
		b.Errorf("Renew: %v; want ErrUnavailable", r.Err)
	}
	if _, err := backends.TryAcquire(b.ctx, c, mutex("o", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		b.Errorf("TryAcquire: %v; want ErrUnavailable", err)
	}
	if _, err := backends.Acquire(b.ctx, c, mutex("o", time.Minute)); !errors.Is(err, backends.ErrUnavailable) {
		b.Errorf("Acquire: %v; want ErrUnavailable", err)
	}
	if err := backends.Release(b.ctx, c, unused); !errors.Is(err, backends.ErrUnavailable) {
		b.Errorf("Release: %v; want ErrUnavailable", err)
	}
	if s, err := c.Inspect(b.ctx, g.Resource.Name); err != nil || len(s.Holders) != 1 || s.Holders[0].Token != g.Token {
		b.Errorf("Inspect, which only reads: %+v, %v", s, err)
	}
}

// goesOn checks that nothing was lost of g, which x holds and w of y waits for; and that the release
// was repeated of h, which x has tried to release.
func (b *bed) goesOn(x, y *postgres.Backend, g, h backends.Grant, w *waiting) {
	b.Helper()
	begin := time.Now()
	if r := b.renewed(x, g); r.Err != nil {
		b.Errorf("Renew: %v", r.Err)
	}
	b.until("the release is repeated", func() bool {
		s, err := x.Inspect(b.ctx, h.Resource.Name)
		return err == nil && len(s.Holders) == 0
	})
	select {
	case <-w.ended:
		b.Fatalf("the waiter has an answer while the name is held: %v", w.err)
	default:
	}
	b.release(x, g)
	next := w.granted()
	b.Logf("all is as it was after %v", time.Since(begin))
	if next.Token <= g.Token {
		b.Errorf("token %d after %d", next.Token, g.Token)
	}
	b.release(y, next)
}
