package postgres_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// delayed is a client whose statement is on its way, on the only connection that it can have.
type delayed struct {
	*bed
	client  *postgres.Backend
	request *waiting
	other   *postgres.Backend
	arrive  chan struct{} // closed: the statement may arrive
	open    func()        // lets further connections open
}

// delay has an acquire of "n" on its way. No further connection opens before open is called.
func delay(t *testing.T) *delayed {
	b := newBed(t, server.Get(t))
	p := (&redistest.Server{Addr: b.server.Addr}).NewProxy(t)
	var dials atomic.Int64
	opened, open := context.WithCancel(b.ctx)
	c := b.of(t, b.pool(t, p.Addr, func(cfg *pgxpool.Config) {
		unprepared(cfg)
		cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				<-opened.Done()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}), postgres.WithoutListener())
	t.Cleanup(open) // before the client is closed
	d := &delayed{bed: b, client: c, other: b.through(t, b.server.Addr), arrive: make(chan struct{}), open: open}
	b.release(c, b.acquire(c, mutex("warm", time.Minute)))
	sent := make(chan struct{})
	p.Judge(once(".take(", func() redistest.Verdict {
		close(sent)
		<-d.arrive
		return redistest.Pass
	}))
	d.request = b.start(c, mutex("n", time.Minute))
	<-sent
	return d
}

// A cancel needs no connection of its own: it follows the statement that it takes back. So the next
// holder does not wait until one has opened.
func TestACancelFollowsItsStatement(t *testing.T) {
	t.Parallel()
	d := delay(t)
	d.client.Follow()
	d.request.cancel()
	d.until("the cancel waits for the answer", func() bool { _ = d.waiters("n"); return d.client.Following() == 1 })
	close(d.arrive)
	d.release(d.other, d.acquire(d.other, mutex("n", time.Minute)))
	<-d.request.ended
	if !errors.Is(d.request.err, context.Canceled) {
		t.Errorf("the cancelled acquire: %v; want context.Canceled", d.request.err)
	}
	var left int
	if err := d.conn.QueryRow(d.ctx, "SELECT count(*) FROM "+d.schema+".requests").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v; want none: nothing had to be forbidden", left, err)
	}
}

// A caller does not wait for a statement that is stuck, and Close neither.
func TestACancelOvertakesAStatementThatIsStuck(t *testing.T) {
	t.Parallel()
	d := delay(t)
	d.request.cancel()
	<-d.request.ended
	if !errors.Is(d.request.err, context.Canceled) {
		t.Errorf("the cancelled acquire: %v; want context.Canceled", d.request.err)
	}
	d.until("the cancel waits no longer", func() bool { _ = d.waiters("n"); return d.client.Following() == 0 })
	d.open()
	close(d.arrive)
	d.release(d.other, d.acquire(d.other, mutex("n", time.Minute)))
}

// What has waited for an answer is sent at once by Close.
func TestCloseSendsACancelThatFollows(t *testing.T) {
	t.Parallel()
	d := delay(t)
	d.client.Follow()
	d.request.cancel()
	d.until("the cancel waits for the answer", func() bool { _ = d.waiters("n"); return d.client.Following() == 1 })
	begin, end := context.WithCancel(d.ctx)
	end() // Close begins, and waits for nothing
	if err := d.client.Close(begin); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v; want context.Canceled", err)
	}
	if n := d.client.Following(); n != 0 {
		t.Errorf("%d cancels still wait for an answer", n)
	}
	d.open()
	close(d.arrive)
	if err := d.client.Close(d.ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	d.release(d.other, d.acquire(d.other, mutex("n", time.Minute)))
}
