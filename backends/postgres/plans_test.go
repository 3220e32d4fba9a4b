package postgres_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
)

// plans collects what auto_explain tells of the statements of a pool, those within functions too.
type plans struct {
	mu  sync.Mutex // pgx calls from any goroutine
	all []string
}

func (p *plans) on(cfg *pgxpool.Config) {
	for name, value := range map[string]string{
		"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
		"auto_explain.log_nested_statements": "on", "client_min_messages": "log",
	} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	cfg.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all = append(p.all, n.Message)
	}
}

// A table that is read as a whole, with enable_seqscan off, also has the server compile the plan: a tenth
// of a second for the first call of each session.
func TestNoPlanReadsAWholeTable(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	var p plans
	x, y := b.of(t, b.pool(t, b.server.Addr, p.on)), b.of(t, b.pool(t, b.server.Addr, p.on))
	g := b.acquire(x, mutex("n", time.Minute))
	w := b.queue(y, mutex("n", time.Minute))
	if r := x.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute, Tokens: 1}})[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	b.release(x, g)
	w.granted()
	if err := x.Break(b.ctx, "n"); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Inspect(b.ctx, "n"); err != nil {
		t.Fatal(err)
	}
	b.release(x, b.acquire(x, mutex("n", time.Minute)))
	p.mu.Lock()
	defer p.mu.Unlock()
	looks := 0
	for _, plan := range p.all {
		if strings.Contains(plan, "mark") {
			looks++
		}
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "JIT:") {
			t.Error(plan)
		}
	}
	if looks == 0 {
		t.Errorf("no look at the mark among %d plans: are they told?", len(p.all))
	}
}
