package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
)

// tracer counts the statements of a pool, and their errors.
type tracer struct {
	sent atomic.Int64
	mu   sync.Mutex // pgx calls from any goroutine
	code map[string]int
}

func (c *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.sent.Add(1)
	return ctx
}

func (c *tracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceQueryEndData) {
	var said *pgconn.PgError
	if errors.As(d.Err, &said) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.code == nil {
			c.code = make(map[string]int)
		}
		c.code[said.Code]++
	}
}

// of returns how often the server has answered with a code.
func (c *tracer) of(code string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code[code]
}

func (c *tracer) on(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = c }

// acquireAll returns the grants of several requests, or releases what it got of them.
func (b *bed) acquireAll(c *postgres.Backend, rs []backends.Request) ([]backends.Grant, error) {
	type answer struct {
		backends.Grant
		err error
	}
	answers := make(chan answer, len(rs))
	op := &backends.Op{Acquire: rs, Wait: true, Granted: func(_ int, g backends.Grant, err error) {
		answers <- answer{g, err}
	}}
	if work := c.Start(op); work != nil {
		work(b.ctx)
	}
	var gs []backends.Grant
	var err error
	for range rs {
		if a := <-answers; a.err != nil {
			err = a.err
		} else {
			gs = append(gs, a.Grant)
		}
	}
	if err != nil {
		for _, g := range gs {
			err = errors.Join(err, backends.Release(b.ctx, c, g))
		}
		return nil, err
	}
	return gs, nil
}

// A statement that the server takes for the victim of a deadlock is repeated: its caller sees
// nothing of it. The functions lock in one order, so that takes a stranger in their tables.
func TestDeadlockVictimIsRepeated(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	var count tracer
	c := b.of(t, b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) {
		count.on(cfg)
		cfg.ConnConfig.RuntimeParams["deadlock_timeout"] = "300"
		cfg.ConnConfig.RuntimeParams["application_name"] = b.schema
	}))
	r := []backends.Request{mutex("a", time.Minute), mutex("b", time.Minute)}
	var last uint64
	both := func() error {
		gs, err := b.acquireAll(c, r)
		for _, g := range gs {
			if g.Token <= last {
				return fmt.Errorf("token %d after %d", g.Token, last)
			}
		}
		for _, g := range gs {
			last = max(last, g.Token)
			err = errors.Join(err, backends.Release(b.ctx, c, g))
		}
		return err
	}
	if err := both(); err != nil { // the rows are there
		t.Fatal(err)
	}
	for count.of("40P01") == 0 { // else the stranger was the victim
		tx := b.begin(pgx.ReadCommitted)
		lock := func(name string) error {
			_, err := tx.Exec(b.ctx, "SELECT FROM "+b.schema+".names WHERE name = $1 FOR UPDATE", []byte(name))
			return err
		}
		if err := lock("b"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- both() }()
		b.until("it waits for b", func() bool {
			var n int
			err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 "+
				"AND state = 'active' AND wait_event_type = 'Lock'", b.schema).Scan(&n)
			return err == nil && n > 0
		})
		_ = lock("a") // it, or the other, is the victim
		_ = tx.Rollback(b.ctx)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// Under any default isolation, with many who contend for one name and for several, no call fails, no
// two hold, and tokens increase.
func TestContentionUnderAnyIsolation(t *testing.T) {
	t.Parallel() // it mostly waits
	for _, level := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			b := newBed(t, server.Get(t))
			b.contend(t, 4, 8, func(cfg *pgxpool.Config) {
				cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = level
			})
		})
	}
}

// contend has clients take two names at once, again and again, and tries a third beside.
func (b *bed) contend(t *testing.T, clients, rounds int, change func(*pgxpool.Config)) {
	var held atomic.Int64
	var last uint64 // guarded by the locks
	done := make(chan error)
	turn := func(c *postgres.Backend) error {
		gs, err := b.acquireAll(c, []backends.Request{mutex("a", time.Minute), mutex("b", time.Minute)})
		if err != nil {
			return err
		}
		if held.Add(1) != 1 || gs[0].Token <= last {
			return fmt.Errorf("two holders, or token %d after %d", gs[0].Token, last)
		}
		last = gs[0].Token
		h, err := backends.TryAcquire(b.ctx, c, mutex("c", time.Minute))
		if err == nil {
			err = backends.Release(b.ctx, c, h)
		}
		held.Add(-1)
		for _, g := range gs {
			err = errors.Join(err, backends.Release(b.ctx, c, g))
		}
		return err
	}
	for range clients {
		c := b.of(t, b.pool(t, b.server.Addr, change))
		go func() {
			for range rounds {
				if err := turn(c); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A full queue of NOTIFY makes every commit fail that sends a message. So nothing is sent while it is
// nearly full, and heartbeats find the grants. A release that still meets a full queue is repeated. It
// takes gigabytes to fill that queue, so a table stands for it, whose trigger fails where the server
// does: at the commit.
func TestFullNotifyQueueDelaysOnly(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	b.exec(notifyQueue)
	x, y := b.through(t, b.server.Addr), b.through(t, b.server.Addr)
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	b.exec("UPDATE lockkeeper.queue SET room = false") // since the release has looked, as it were
	b.wantState("Release", backends.Release(b.ctx, x, g), "54000")
	select {
	case <-w.ended:
		t.Fatalf("the waiter has an answer while the name is held: %v", w.err)
	default:
	}
	h := b.acquire(x, mutex("m", time.Minute)) // nobody waits
	b.release(x, h)
	b.exec("UPDATE lockkeeper.queue SET used = 1")
	for range 2 { // the first release is repeated
		begin := time.Now()
		h = w.granted()
		t.Logf("granted after %v", time.Since(begin))
		if h.Token <= g.Token {
			t.Errorf("token %d after %d", h.Token, g.Token)
		}
		x, y, g = y, x, h
		w = b.queue(y, mutex("n", time.Minute))
		b.release(x, g)
	}
	b.exec("UPDATE lockkeeper.queue SET used = 0, room = true")
	b.release(y, w.granted())
	if n := b.count("sent"); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	g = b.acquire(x, mutex("n", time.Minute))
	w = b.queue(y, mutex("n", time.Minute))
	b.release(x, g)
	b.release(y, w.granted())
	if b.count("sent") == 0 {
		t.Error("no message was sent when there was room again")
	}
}

// notifyQueue has _done use a queue of NOTIFY that tests can fill.
const notifyQueue = `
CREATE TABLE lockkeeper.queue (used float8, room boolean);
INSERT INTO lockkeeper.queue VALUES (0, true);
CREATE TABLE lockkeeper.sent (payload text);
CREATE FUNCTION lockkeeper.usage() RETURNS float8 LANGUAGE sql AS 'SELECT used FROM lockkeeper.queue';
CREATE FUNCTION lockkeeper.notify(channel text, payload text) RETURNS void LANGUAGE sql AS
  $$ INSERT INTO lockkeeper.sent VALUES (payload); SELECT pg_notify(channel, payload) $$;
CREATE FUNCTION lockkeeper.commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NOT (SELECT room FROM lockkeeper.queue) THEN
    RAISE 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER commit AFTER INSERT ON lockkeeper.sent
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lockkeeper.commit();
DO $$ BEGIN
  EXECUTE replace(replace(pg_get_functiondef('lockkeeper._done'::regproc), 'pg_notification_queue_usage', 'lockkeeper.usage'),
    'pg_notify', 'lockkeeper.notify');
END $$`
