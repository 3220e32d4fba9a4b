package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
)

// warm returns a client of one session that knows the pause, so that take and give need no op.
func (b *bed) warm(t testing.TB) *postgres.Backend {
	t.Helper()
	c := b.of(t, b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) {
		cfg.MaxConns = 1
		cfg.ConnConfig.RuntimeParams["application_name"] = b.schema
	}), postgres.WithHeartbeat(time.Minute))
	for range 2 {
		b.release(c, b.acquire(c, mutex("warm", time.Minute)))
	}
	return c
}

// What take and give must leave to op: a name that is held or waited for, a grant that is overdue, one
// that a transaction has in check, and a late copy.
func TestTakeAndGiveLeaveTheRestToOp(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	x, y := b.warm(t), b.warm(t)
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	b.release(x, g)
	if n := b.waiters("n"); n != 0 {
		t.Errorf("%d wait after the release; want the waiter granted with it", n)
	}
	h := w.granted()
	tx := b.begin(pgx.ReadCommitted)
	if err := b.fence(tx, h); err != nil {
		t.Fatal(err)
	}
	b.release(y, h) // and does not wait for the transaction
	if _, err := backends.TryAcquire(b.ctx, x, mutex("n", time.Minute)); !errors.Is(err, backends.ErrBusy) {
		t.Errorf("a try while the fenced transaction is open: %v; want ErrBusy", err)
	}
	_ = tx.Rollback(b.ctx)
	g = b.acquire(x, mutex("m", backends.MinTTL))
	b.until("the grant is overdue", func() bool {
		s, err := y.Inspect(b.ctx, "m")
		return err == nil && len(s.Holders) == 0
	})
	if err := backends.Release(b.ctx, x, g); !errors.Is(err, backends.ErrLost) {
		t.Errorf("a release of a grant that is overdue: %v; want ErrLost", err)
	}
	b.exec("SELECT set_config('lockkeeper.pause', '5000000', false)")
	b.exec("SELECT lockkeeper.take(7, 1000000, 'copied', 1, 1, 1, 1, 1, 60000000, 60000000, 1, 0, ''); " +
		"SELECT lockkeeper.give(7, 'copied', 1, 3); SELECT lockkeeper.take(7, 1000000, 'copied', 1, 1, 1, 1, 1, 60000000, 60000000, 1, 0, '')")
	if h, err := backends.TryAcquire(b.ctx, x, mutex("copied", time.Minute)); err != nil {
		t.Errorf("a try after a late copy of a request that was given up: %v", err)
	} else {
		b.release(x, h)
	}
}

// give hands over what one waiter wants the whole of. What it must leave to op: a first waiter that is
// dead, one that is not alone in what it gets, and permits of which others hold some.
func TestGiveLeavesTheRestOfHandOversToOp(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	x, y, z, dead := b.warm(t), b.warm(t), b.warm(t), b.warm(t)
	r := mutex("n", time.Minute)
	r.MinValid = time.Second // so that the message is believed
	r.Tokens = backends.MaxTokens
	g := b.acquire(x, r)
	b.queue(dead, r)
	dead.Crash()
	b.exec("UPDATE lockkeeper.clients SET till = 0")
	w := b.queue(z, r)
	b.release(x, g)
	if n := b.waiters("n"); n != 0 {
		t.Errorf("%d wait after the release; want the dead one left out, and the next granted", n)
	}
	h := w.granted()
	w = b.queue(x, r)
	last := b.queue(y, r)
	b.until("all three listen", func() bool {
		var n int
		err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'",
			b.schema).Scan(&n)
		return err == nil && n == 3
	})
	var used uint64 // an hour ahead of the clock, so that tokens are counted
	if err := b.conn.QueryRow(b.ctx, "UPDATE "+b.schema+".names SET token = token + 3600000000 WHERE name = 'n' RETURNING token").Scan(&used); err != nil {
		t.Fatal(err)
	}
	b.release(z, h)
	if g = w.granted(); g.Token != used+1 || !g.Contended {
		t.Errorf("token %d, contended: %v; want %d, and true", g.Token, g.Contended, used+1)
	}
	if s, err := y.Inspect(b.ctx, "n"); err != nil || len(s.Holders) != 1 || s.Holders[0].Token != g.Token {
		t.Errorf("the table has %+v, %v; want token %d", s.Holders, err, g.Token)
	}
	b.release(x, g)
	if h = last.granted(); h.Token != g.Token+backends.MaxTokens || h.Contended {
		t.Errorf("token %d after a block from %d, contended: %v; want the next, and false", h.Token, g.Token, h.Contended)
	}
	b.release(y, h)

	permits := func(weight int64) backends.Request {
		r := mutex("s", time.Minute)
		r.Kind, r.Capacity, r.Weight = backends.Semaphore, 3, weight
		return r
	}
	one, two := b.acquire(x, permits(1)), b.acquire(x, permits(2))
	w = b.queue(y, permits(3))
	last = b.queue(z, permits(1))
	b.release(x, two)
	if n := b.waiters("s"); n != 2 {
		t.Errorf("%d wait while a permit is held; want 2", n)
	}
	b.release(x, one)
	b.release(y, w.granted())
	b.release(z, last.granted())
	s, err := x.Inspect(b.ctx, "s")
	if err != nil || len(s.Holders)+len(s.Waiters) != 0 {
		t.Errorf("left: %+v, %v", s, err)
	}
}
