package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/preloadtest"
)

// wantState checks that an error is ErrUnavailable and has the server's code.
func (b *bed) wantState(what string, err error, code string) {
	b.Helper()
	var said *pgconn.PgError
	if !errors.Is(err, backends.ErrUnavailable) || !errors.As(err, &said) || said.Code != code {
		b.Errorf("%s: %v; want ErrUnavailable with the server's %s", what, err, code)
	}
}

// limited makes a user that may have so many connections, and returns what has a pool use it and
// what changes the limit.
func (b *bed) limited(n int) (as func(*pgxpool.Config), limit func(n int)) {
	b.Helper()
	b.exec("CREATE ROLE lockkeeper_few LOGIN; GRANT USAGE ON SCHEMA lockkeeper TO lockkeeper_few; " +
		"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA lockkeeper TO lockkeeper_few")
	b.Cleanup(func() {
		b.ctx = context.Background()
		b.exec("DROP OWNED BY lockkeeper_few; DROP ROLE lockkeeper_few")
	})
	limit = func(n int) { b.exec("ALTER ROLE lockkeeper_few CONNECTION LIMIT " + strconv.Itoa(n)) }
	limit(n)
	return func(cfg *pgxpool.Config) { cfg.ConnConfig.User = b.schema + "_few" }, limit
}

// While the server takes no further connection everything fails that needs one, nothing is lost,
// and when there is room again all goes on.
func TestConnectionLimitEndsNoLease(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	as, limit := b.limited(-1)
	x, y := b.of(t, b.pool(t, b.server.Addr, as)), b.of(t, b.pool(t, b.server.Addr, as))
	g, h := b.acquire(x, mutex("n", time.Minute)), b.acquire(x, mutex("m", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	limit(0)
	b.until("its sessions have ended", func() bool {
		var n int
		err := b.conn.QueryRow(b.ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1",
			b.schema+"_few").Scan(&n)
		return err == nil && n == 0
	})
	const tooMany = "53300"
	b.wantState("Renew", x.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0].Err, tooMany)
	_, err := backends.TryAcquire(b.ctx, x, mutex("o", time.Minute))
	b.wantState("TryAcquire", err, tooMany)
	b.wantState("Release", backends.Release(b.ctx, x, h), tooMany)
	limit(-1)
	b.goesOn(x, y, g, h, w)
}

// A client whose pool has the last connection cannot listen. Its heartbeat finds the grant.
func TestNoConnectionLeftToListenOn(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	as, _ := b.limited(1)
	one := func(cfg *pgxpool.Config) { as(cfg); cfg.MaxConns = 1 }
	x, y := b.through(t, b.server.Addr), b.of(t, b.pool(t, b.server.Addr, one))
	b.release(y, b.acquire(y, mutex("n", time.Minute))) // the pool has its connection
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	b.release(x, g)
	begin := time.Now()
	b.release(y, w.granted())
	t.Logf("granted %v after the release", time.Since(begin))
}

// A server that ends idle sessions ends those of the pool and the one that listens, again and again.
func TestIdleSessionTimeoutDelaysOnly(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	brief := func(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["idle_session_timeout"] = "300" }
	x, y := b.of(t, b.pool(t, b.server.Addr, brief)), b.of(t, b.pool(t, b.server.Addr, brief))
	var last uint64
	for range 2 {
		g := b.acquire(x, mutex("n", time.Minute))
		w := b.queue(y, mutex("n", time.Minute))
		b.idle(40)
		if r := x.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0]; r.Err != nil {
			t.Errorf("Renew after idleness: %v", r.Err)
		}
		b.idle(40)
		b.release(x, g)
		h := w.granted()
		if g.Token <= last || h.Token <= g.Token {
			t.Errorf("tokens %d, %d after %d", g.Token, h.Token, last)
		}
		last = h.Token
		b.idle(40)
		b.release(y, h)
	}
}

// idle lets some hundredths of a second pass on the server.
func (b *bed) idle(hundredths int) {
	b.Helper()
	if _, err := b.conn.Exec(b.ctx, "SELECT pg_sleep($1::float8 / 100)", hundredths); err != nil {
		b.Fatal(err)
	}
}

// A statement that an administrator cancels fails, definitely, and a waiter goes on waiting.
func TestCancelledStatements(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	named := func(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["application_name"] = b.schema }
	x, y := b.through(t, b.server.Addr), b.of(t, b.pool(t, b.server.Addr, named))
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	tx := b.begin("read committed")
	if _, err := tx.Exec(b.ctx, "SELECT FROM "+b.schema+".names FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	v := b.start(y, mutex("n", time.Minute)) // waits for the row
	cancelled := 0
	b.until("its statement was cancelled", func() bool {
		err := b.conn.QueryRow(b.ctx, "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity "+
			"WHERE application_name = $1 AND state = 'active' AND wait_event_type = 'Lock'", b.schema).Scan(&cancelled)
		return err == nil && cancelled > 0
	})
	<-v.ended
	b.wantState("Acquire", v.err, "57014")
	select {
	case <-w.ended:
		t.Fatalf("the waiter has an answer while the name is held: %v", w.err)
	default:
	}
	if err := tx.Rollback(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.release(x, g)
	b.release(y, w.granted())
	b.until("nothing is left", func() bool { return b.count("requests") == 0 })
}

// On a full disk new names fail, and so does what needs a new page. No lease ends early, and when
// there is room again all goes on.
func TestFullDiskEndsNoLease(t *testing.T) {
	t.Parallel() // it mostly waits
	disk := preloadtest.NewDisk(t)
	s := pgtest.StartWith(t, disk.Env())
	b := newBed(t, s)
	x, y := b.through(t, s.Addr), b.through(t, s.Addr)
	g, h := b.acquire(x, mutex("n", time.Minute)), b.acquire(x, mutex("m", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	disk.Fill(t)
	var more []backends.Grant
	for {
		k, err := backends.TryAcquire(b.ctx, x, mutex("k"+strconv.Itoa(len(more)), time.Minute))
		if err != nil {
			b.wantState("TryAcquire", err, "53100")
			break
		}
		more = append(more, k)
	}
	t.Logf("%d names more had room", len(more))
	for range 20 { // as often as it takes until a page is full
		r := x.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0]
		if r.Err != nil && !errors.Is(r.Err, backends.ErrUnavailable) {
			t.Errorf("Renew: %v; want ErrUnavailable or nothing", r.Err)
		}
	}
	if err := backends.Release(b.ctx, x, h); err != nil && !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Release: %v; want ErrUnavailable or nothing", err)
	}
	disk.Empty(t)
	for _, k := range more {
		b.release(x, k)
	}
	b.goesOn(x, y, g, h, w)
}

// A server that finds no room for its log crashes, and cannot recover before there is some. A lease
// that was flushed outlives that.
func TestFullDiskOfTheLog(t *testing.T) {
	t.Parallel() // it mostly waits
	disk := preloadtest.NewDisk(t)
	s := pgtest.StartWith(t, disk.Env())
	b := newBed(t, s)
	x, y := b.through(t, s.Addr), b.through(t, s.Addr)
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	disk.Fill(t)
	for range 3 { // the next file of the log may be there already
		if _, err := b.conn.Exec(b.ctx, "SELECT pg_logical_emit_message(false, '', 'x'), pg_switch_wal()"); err != nil {
			if !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") &&
				!strings.Contains(err.Error(), "53100") && !strings.Contains(err.Error(), "57P0") {
				t.Errorf("the end of the log's room: %v", err)
			}
			break
		}
	}
	if r := x.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0]; !errors.Is(r.Err, backends.ErrUnavailable) {
		t.Errorf("Renew: %v; want ErrUnavailable", r.Err)
	}
	disk.Empty(t)
	s.Restart(t)
	b.conn = b.connect()
	if r := b.renewed(x, g); r.Err != nil {
		t.Errorf("Renew when there is room again: %v", r.Err)
	}
	b.until("the release is confirmed", func() bool {
		return !errors.Is(backends.Release(b.ctx, x, g), backends.ErrUnavailable)
	})
	h := w.granted()
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(y, h)
}
