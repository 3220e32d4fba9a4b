package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/manager"
)

// fenced is a grant as Fence takes it.
type fenced struct{ backends.Grant }

func (f fenced) Name() string  { return f.Resource.Name }
func (f fenced) Token() uint64 { return f.Grant.Token }

func (b *bed) begin(level pgx.TxIsoLevel) pgx.Tx {
	b.Helper()
	tx, err := b.connect().BeginTx(b.ctx, pgx.TxOptions{IsoLevel: level})
	if err != nil {
		b.Fatal(err)
	}
	return tx
}

func (b *bed) fence(tx pgx.Tx, g backends.Grant) error {
	return postgres.Fence(b.ctx, tx, fenced{g}, postgres.WithSchema(b.schema))
}

func TestFenceFailsForALeaseThatHasEnded(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	c := b.of(t, b.pool(t, b.server.Addr, nil))
	g := b.acquire(c, mutex("n", time.Minute))
	stale, never := g, g
	b.release(c, g)
	g = b.acquire(c, mutex("n", time.Minute))
	never.Token = g.Token + uint64(time.Hour.Microseconds())
	for _, level := range []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable} {
		for _, wrong := range []backends.Grant{stale, never} {
			tx := b.begin(level)
			if err := b.fence(tx, wrong); !errors.Is(err, backends.ErrLost) {
				t.Errorf("%s: a token that is not held: %v; want ErrLost", level, err)
			}
			if tx.Commit(b.ctx) == nil {
				t.Errorf("%s: the transaction has committed", level)
			}
		}
		tx := b.begin(level)
		if err := b.fence(tx, g); err != nil {
			t.Errorf("%s: the token that is held: %v", level, err)
		}
		if r := c.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute, Tokens: 3}})[0]; r.Err != nil {
			t.Errorf("%s: a renewal beside a fence: %v", level, r.Err)
		}
		if err := tx.Commit(b.ctx); err != nil {
			t.Error(err)
		}
	}
}

// However the lease ends, its successor is granted only when the fenced transaction has ended; other
// names and other calls on the same name do not wait.
func TestFencedTransactionsOfSuccessiveHoldersNeverOverlap(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(b *bed, c *postgres.Backend, g backends.Grant){
		"released": func(b *bed, c *postgres.Backend, g backends.Grant) { b.release(c, g) },
		"broken":   func(b *bed, c *postgres.Backend, g backends.Grant) { _ = c.Break(b.ctx, "n") },
		"expired": func(b *bed, c *postgres.Backend, _ backends.Grant) {
			b.until("the lease has expired", func() bool {
				s, err := c.Inspect(b.ctx, "n")
				return err == nil && len(s.Holders) == 0
			})
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, server.Get(t))
			pool := b.pool(t, b.server.Addr, nil)
			x, y := b.of(t, pool), b.of(t, pool)
			ttl := time.Minute
			if how == "expired" {
				ttl = time.Second
			}
			tx := b.begin(pgx.ReadCommitted)
			g := b.acquire(x, mutex("n", ttl))
			for b.fence(tx, g) != nil { // a machine so slow that the lease had ended
				_ = tx.Rollback(b.ctx)
				tx, g = b.begin(pgx.ReadCommitted), b.acquire(x, mutex("n", ttl))
			}
			w := b.queue(y, mutex("n", time.Minute))
			end(b, x, g)
			for range 5 { // each finds that the name is not free yet
				_, err := backends.TryAcquire(b.ctx, x, mutex("n", time.Minute))
				if !errors.Is(err, backends.ErrBusy) {
					t.Errorf("a try while the transaction is open: %v; want ErrBusy", err)
				}
			}
			select {
			case <-w.ended:
				t.Fatal("granted to the next while the fenced transaction is open")
			default:
			}
			if err := tx.Commit(b.ctx); err != nil {
				t.Fatal(err)
			}
			next := w.granted()
			tx = b.begin(pgx.ReadCommitted)
			if err := b.fence(tx, g); !errors.Is(err, backends.ErrLost) {
				t.Errorf("the old lease: %v; want ErrLost", err)
			}
			_ = tx.Rollback(b.ctx)
			b.release(y, next)
		})
	}
}

func TestFenceAndMigrateRefuseNil(t *testing.T) {
	var none context.Context
	var released *manager.Lease
	var tx *pgxpool.Tx
	for what, err := range map[string]error{
		"Fence without a transaction": postgres.Fence(t.Context(), nil, released),
		"Fence with a nil pointer":    postgres.Fence(t.Context(), tx, released),
		"Fence without a lease":       postgres.Fence(t.Context(), &pgxpool.Tx{}, nil),
		"Fence without a context":     postgres.Fence(none, &pgxpool.Tx{}, released),
		"Migrate without connection":  postgres.Migrate(t.Context(), nil),
		"Migrate without a context":   postgres.Migrate(none, &pgx.Conn{}),
	} {
		if !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
