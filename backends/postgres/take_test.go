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
	c := b.of(t, b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) { cfg.MaxConns = 1 }), postgres.WithHeartbeat(time.Minute))
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
