package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
)

// A client whose listening connection is lost opens another one, and then looks at what it may have
// missed: it hears of a grant although its next heartbeat is a minute away.
func TestALostListenerIsOpenedAnew(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	_, limit := b.limited(-1)
	direct, err := pgx.ParseConfig(b.server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	direct.User = b.schema + "_few"
	x := b.through(t, b.server.Addr)
	y := b.of(t, b.pool(t, b.server.Addr, nil), postgres.WithListener(direct), postgres.WithHeartbeat(time.Minute))
	for _, missed := range []bool{false, true} {
		g := b.acquire(x, mutex("n", time.Hour))
		w := b.queue(y, mutex("n", time.Hour))
		b.until("the client listens", y.Listens)
		limit(0)
		old := b.listener()
		b.exec("SELECT pg_terminate_backend(" + old + ")")
		b.until("its connection is lost", func() bool { return b.listener() == "" })
		began := time.Now()
		if missed { // the message of the grant, for there is no listener
			b.release(x, g)
			limit(-1)
		} else {
			limit(-1)
			b.until("it listens again", func() bool { return b.listener() != "" })
			b.release(x, g)
		}
		h := w.granted()
		if took := time.Since(began); took > 50*time.Second {
			t.Errorf("granted after %v, by a heartbeat; message missed: %v", took, missed)
		}
		b.release(y, h)
	}
}

// listener returns the process of the session that listens, or "" if there is none.
func (b *bed) listener() (pid string) {
	b.Helper()
	err := b.conn.QueryRow(b.ctx, "SELECT coalesce(max(pid)::text, '') FROM pg_stat_activity WHERE usename = $1",
		b.schema+"_few").Scan(&pid)
	if err != nil {
		b.Fatal(err)
	}
	return pid
}
