package postgres_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	runClauses(t, func(t testing.TB) backendtest.Env { return contractEnv(t) }, nil, all)
}

// all stands for all clauses.
const all = "all"

// runClauses runs some clauses, or groups of them, side by side, each in a schema of its own. With
// LOCKKEEPER_LONG=1 it runs all of them but those that cannot hold.
func runClauses(t *testing.T, open func(t testing.TB) backendtest.Env, without []string, some ...string) {
	everything := os.Getenv("LOCKKEEPER_LONG") == "1" || some[0] == all
	for _, c := range backendtest.Clauses() {
		group, _, _ := strings.Cut(c.Name, "/")
		wanted := everything || slices.Contains(some, c.Name) || slices.Contains(some, group)
		if wanted && !slices.Contains(without, c.Name) {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				c.Run(t, open(t))
			})
		}
	}
}

// contractEnv makes each client reach the server through a proxy of its own.
func contractEnv(t testing.TB, opts ...postgres.Option) backendtest.Env {
	b := newBed(t, server.Get(t))
	proxies := make(map[backends.Backend]*redistest.Proxy)
	rounds := 20
	if os.Getenv("LOCKKEEPER_LONG") == "1" {
		rounds = 200
	}
	return backendtest.Env{
		TTL:    300 * time.Millisecond,
		Rounds: rounds,
		Open: func(t testing.TB) backends.Backend {
			p := (&redistest.Server{Addr: b.server.Addr}).NewProxy(t)
			c := b.through(t, p.Addr, opts...)
			c.Await() // the clauses look at once whether anything is left
			proxies[c] = p
			return c
		},
		Listens: b.listens,
		Crash:   func(t testing.TB, b backends.Backend) { b.(*postgres.Backend).Crash() },
		CutOff: func(t testing.TB, b backends.Backend) func() {
			p := proxies[b]
			p.BlackHole()
			return func() {
				p.Judge(nil)
				p.CutAll()
			}
		},
	}
}

// listens returns when the client hears messages.
func (b *bed) listens(_ testing.TB, c backends.Backend) {
	b.until("the client listens", c.(*postgres.Backend).Listens)
}

// patience is how long tests wait for what must happen.
const patience = 2 * time.Minute

// bed is what most tests start with: a server, a schema of their own, a context and a connection.
type bed struct {
	testing.TB
	ctx    context.Context
	server *pgtest.Server
	schema string
	conn   *pgx.Conn
}

var schemas atomic.Int64

func newBed(t testing.TB, s *pgtest.Server) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	b := &bed{TB: t, ctx: ctx, server: s, schema: fmt.Sprintf("t%d", schemas.Add(1))}
	b.conn = b.connect()
	if err := postgres.Migrate(ctx, b.conn, postgres.WithSchema(b.schema)); err != nil {
		t.Fatal(err)
	}
	return b
}

// connect returns a connection that is closed at the end of the test.
func (b *bed) connect() *pgx.Conn {
	b.Helper()
	conn, err := pgx.Connect(b.ctx, b.server.DSN("postgres"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// pool returns a pool that is closed at the end of the test.
func (b *bed) pool(t testing.TB, addr string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig("postgres://" + pgtest.User + "@" + addr + "/postgres?sslmode=disable&pool_max_conns=10")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// through returns a backend that reaches the server at an address.
func (b *bed) through(t testing.TB, addr string, opts ...postgres.Option) *postgres.Backend {
	t.Helper()
	return b.of(t, b.pool(t, addr, nil), opts...)
}

// of returns a backend that is closed at the end of the test.
func (b *bed) of(t testing.TB, pool *pgxpool.Pool, opts ...postgres.Option) *postgres.Backend {
	t.Helper()
	c, err := postgres.New(pool, append([]postgres.Option{postgres.WithSchema(b.schema)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// waiting is an acquire in the background.
type waiting struct {
	bed    *bed
	cancel context.CancelFunc
	ended  chan struct{}
	grant  backends.Grant
	err    error
}

func (b *bed) start(c *postgres.Backend, r backends.Request) *waiting {
	ctx, cancel := context.WithCancel(b.ctx)
	w := &waiting{bed: b, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.grant, w.err = backends.Acquire(ctx, c, r)
	}()
	b.Cleanup(func() { cancel(); <-w.ended })
	return w
}

// queue returns when the request stands in the queue.
func (b *bed) queue(c *postgres.Backend, r backends.Request) *waiting {
	b.Helper()
	n := b.waiters(r.Name)
	w := b.start(c, r)
	b.until("the request is queued", func() bool {
		select {
		case <-w.ended:
			b.Fatalf("a request that should wait has its answer: %v", w.err)
		default:
		}
		return b.waiters(r.Name) == n+1
	})
	return w
}

// waiters counts the requests that wait for a name, by a look into the tables.
func (b *bed) waiters(name string) (n int) {
	b.Helper()
	err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM "+b.schema+".requests q JOIN "+b.schema+
		".names n USING (rid) WHERE n.name = $1 AND q.token IS NULL AND q.place > 0", []byte(name)).Scan(&n)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (w *waiting) granted() backends.Grant {
	w.bed.Helper()
	<-w.ended // patience ends it at the latest
	if w.err != nil {
		w.bed.Fatalf("a waiting Acquire failed: %v", w.err)
	}
	return w.grant
}

// until looks again and again; each look is a round trip, so it is no busy loop.
func (b *bed) until(what string, is func() bool) {
	b.Helper()
	for !is() {
		if b.ctx.Err() != nil {
			b.Fatalf("not in %v: %s", patience, what)
		}
	}
}
