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

// While NOTIFY's queue is full, every transaction fails at its commit that sends a message. So nothing
// is handed over, nothing is lost, and when there is room again all goes on. It takes gigabytes to
// fill that queue, so a trigger stands for it, which fails where the server does: at the commit.
func TestFullNotifyQueueEndsNoLease(t *testing.T) {
	t.Parallel() // it mostly waits
	b := newBed(t, server.Get(t))
	x, y := b.through(t, b.server.Addr), b.through(t, b.server.Addr)
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	b.exec(fullQueue)
	b.exec("ALTER FUNCTION lockkeeper._done RENAME TO _empty; ALTER FUNCTION lockkeeper._full RENAME TO _done")
	if r := x.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute}})[0]; r.Err != nil {
		t.Errorf("Renew, which tells nobody: %v", r.Err)
	}
	b.wantState("Release", backends.Release(b.ctx, x, g), "54000")
	select {
	case <-w.ended:
		t.Fatalf("the waiter has an answer while the name is held: %v", w.err)
	default:
	}
	h := b.acquire(x, mutex("m", time.Minute)) // nobody waits
	b.release(x, h)
	b.exec("ALTER FUNCTION lockkeeper._done RENAME TO _full; ALTER FUNCTION lockkeeper._empty RENAME TO _done")
	begin := time.Now()
	h = w.granted() // the release is repeated
	t.Logf("granted %v after there was room", time.Since(begin))
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(y, h)
}

const fullQueue = `
CREATE TABLE lockkeeper.full_queue (n int);
CREATE FUNCTION lockkeeper.refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000'; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON lockkeeper.full_queue
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lockkeeper.refuse();
CREATE FUNCTION lockkeeper._full(longest bigint, pause bigint, news text[]) RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN IF cardinality(news) > 0 THEN INSERT INTO lockkeeper.full_queue VALUES (1); END IF;
    PERFORM lockkeeper._empty(longest, pause, '{}'); END $$`
