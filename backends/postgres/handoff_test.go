package postgres_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
)

// What goes from one process to the next costs one call and one message: the release.
func TestAHandOffIsOneCallAndOneMessage(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	b.exec(notifyQueue)
	var calls calls
	open := func() *postgres.Backend {
		return b.of(t, b.pool(t, b.server.Addr, calls.on), postgres.WithHeartbeat(time.Minute))
	}
	r := mutex("n", time.Hour)
	r.MinValid = time.Second
	x, y := open(), open()
	g := b.acquire(x, r)
	for range 5 {
		w := b.queue(y, r)
		called, sent := calls.made.Load(), b.count("sent")
		b.release(x, g)
		g = w.granted()
		if called, sent = calls.made.Load()-called, b.count("sent")-sent; called != 1 || sent != 1 {
			t.Errorf("%d calls and %d messages; want one of each", called, sent)
		}
		x, y = y, x
	}
	b.release(x, g)
}

// calls counts the statements that acquire, release or cancel. What a heartbeat or a new listener looks
// at is not among them.
type calls struct{ made atomic.Int64 }

func (c *calls) on(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = c }

func (c *calls) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	for _, call := range []string{".op(", ".take(", ".give("} {
		if strings.Contains(d.SQL, call) {
			c.made.Add(1)
		}
	}
	return ctx
}

func (*calls) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
