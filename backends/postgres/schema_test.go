package postgres_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
)

func mutex(name string, ttl time.Duration) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1, TTL: ttl,
		Owner: backends.Owner{Host: "host", PID: 1, Label: "test"},
	}
}

func (b *bed) acquire(c *postgres.Backend, r backends.Request) backends.Grant {
	b.Helper()
	g, err := backends.Acquire(b.ctx, c, r)
	if err != nil {
		b.Fatalf("Acquire: %v", err)
	}
	return g
}

func (b *bed) release(c *postgres.Backend, g backends.Grant) {
	b.Helper()
	if err := backends.Release(b.ctx, c, g); err != nil {
		b.Fatalf("Release: %v", err)
	}
}

// exec runs SQL that names the bed's schema lockkeeper.
func (b *bed) exec(sql string) {
	b.Helper()
	sql = strings.ReplaceAll(sql, "lockkeeper", b.schema)
	if _, err := b.conn.PgConn().Exec(b.ctx, sql).ReadAll(); err != nil {
		b.Fatalf("%s: %v", sql, err)
	}
}

func TestMigrateMayBeRepeated(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	c := b.of(t, b.pool(t, b.server.Addr, nil))
	g := b.acquire(c, mutex("n", time.Minute))
	if err := postgres.Migrate(b.ctx, b.conn, postgres.WithSchema(b.schema)); err != nil {
		t.Fatal(err)
	}
	b.release(c, g)
}

func TestManyProgramsMigrateAtOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	done := make(chan error)
	const n = 4
	for range n {
		conn := b.connect()
		go func() { done <- postgres.Migrate(b.ctx, conn, postgres.WithSchema(b.schema+"_many")) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// The SQL file is enough, without Migrate, which finds nothing left to do.
func TestPsqlInstallsTheSameSchema(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	dsn := b.server.Database(t)
	psql := exec.CommandContext(b.ctx, "psql", "-d", dsn, "-v", "ON_ERROR_STOP=1", "-q", "-f", "migrations/0001_lockkeeper.sql")
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}
	conn, err := pgx.Connect(b.ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := postgres.Migrate(b.ctx, conn); err != nil {
		t.Error(err)
	}
	b.schema = postgres.DefaultSchema
	c := b.of(t, b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) { cfg.ConnConfig.Database = conn.Config().Database }))
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
}

func TestASchemaThatIsNotOursIsRefused(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		sql                  string
		have                 int
		migrates, isReported bool // Migrate refuses; a backend reports
	}{
		"missing":           {sql: "DROP SCHEMA lockkeeper CASCADE", have: 0, isReported: true},
		"newer":             {sql: "UPDATE lockkeeper.conf SET format = 99", have: 99, migrates: true, isReported: true},
		"another program's": {sql: "DROP SCHEMA lockkeeper CASCADE; CREATE SCHEMA lockkeeper; CREATE TABLE lockkeeper.users ()", have: -1, migrates: true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, server.Get(t))
			b.exec(c.sql)
			var e *postgres.SchemaError
			backend := b.of(t, b.pool(t, b.server.Addr, nil))
			_, err := backends.TryAcquire(b.ctx, backend, mutex("n", time.Minute))
			if !errors.As(err, &e) || c.isReported && e.Have != c.have || !errors.Is(err, backends.ErrMismatch) {
				t.Errorf("TryAcquire: %v; want a *SchemaError with format %d", err, c.have)
			}
			err = postgres.Migrate(b.ctx, b.conn, postgres.WithSchema(b.schema))
			if refused := errors.As(err, &e); refused != c.migrates || refused && e.Have != c.have || !refused && err != nil {
				t.Errorf("Migrate: %v; want it refused: %v, format %d", err, c.migrates, c.have)
			}
		})
	}
}

// A user may do what doc.go grants it, and nothing else.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	b.exec("CREATE ROLE lockkeeper_app LOGIN")
	t.Cleanup(func() {
		b.ctx = context.Background()
		b.exec("DROP OWNED BY lockkeeper_app; DROP ROLE lockkeeper_app")
	})
	as := func(cfg *pgxpool.Config) { cfg.ConnConfig.User = b.schema + "_app" }
	c := b.of(t, b.pool(t, b.server.Addr, as))
	if _, err := backends.TryAcquire(b.ctx, c, mutex("n", time.Minute)); !errors.Is(err, backends.ErrPermission) {
		t.Errorf("without rights: %v; want ErrPermission", err)
	}
	b.exec("GRANT USAGE ON SCHEMA lockkeeper TO lockkeeper_app; " +
		"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA lockkeeper TO lockkeeper_app")
	g := b.acquire(c, mutex("n", time.Minute))
	if r := c.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: time.Minute, Tokens: 1}})[0]; r.Err != nil {
		t.Error(r.Err)
	}
	if s, err := c.Inspect(b.ctx, "n"); err != nil || len(s.Holders) != 1 {
		t.Errorf("Inspect: %+v, %v", s, err)
	}
	b.release(c, g)
	if err := c.Break(b.ctx, "n"); err != nil {
		t.Error(err)
	}
	conn, err := b.pool(t, b.server.Addr, as).Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(b.ctx, "SELECT FROM "+b.schema+".names"); err == nil {
		t.Error("the user may read a table")
	}
}

// The functions see our tables only, whatever the session's search_path; and work under any
// isolation.
func TestSessionsMayHaveAnySettings(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, server.Get(t))
			b.exec("CREATE SCHEMA lockkeeper_evil; CREATE TABLE lockkeeper_evil.names (rid int); " +
				"CREATE FUNCTION lockkeeper_evil.cardinality(anyarray) RETURNS int LANGUAGE sql AS 'SELECT 0'")
			pool := b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) {
				cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = isolation
				cfg.ConnConfig.RuntimeParams["search_path"] = b.schema + "_evil, pg_catalog"
				cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
			})
			x, y := b.of(t, pool), b.of(t, pool)
			g := b.acquire(x, mutex("n", time.Minute))
			w := b.queue(y, mutex("n", time.Minute))
			b.release(x, g)
			b.release(y, w.granted())
		})
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	pool := newBed(t, server.Get(t)).pool(t, server.Get(t).Addr, nil)
	for _, o := range []postgres.Option{
		{}, postgres.WithSchema(""), postgres.WithSchema("a-b"), postgres.WithSchema("1a"), postgres.WithSchema(`a"; DROP`),
		postgres.WithHeartbeat(0), postgres.WithHeartbeat(time.Hour),
	} {
		if _, err := postgres.New(pool, o); !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := postgres.New(nil); !errors.Is(err, backends.ErrInvalid) {
		t.Error(err)
	}
}
