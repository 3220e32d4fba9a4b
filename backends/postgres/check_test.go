package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
)

// finds checks the store and expects a finding of this level and topic with these words; none that is
// worse.
func (b *bed) finds(c *postgres.Backend, level backends.Level, topic string, words ...string) {
	b.Helper()
	found, err := c.Check(b.ctx)
	if err != nil {
		b.Fatalf("Check: %v", err)
	}
	for _, f := range found {
		switch text := f.What + "; " + f.Means + "; " + f.Mend; {
		case f.Level > level:
			b.Errorf("%v %s: %s; want no more than a %v", f.Level, f.Topic, text, level)
		case f.Topic == topic && f.Level == level:
			for _, word := range words {
				if !strings.Contains(text, word) {
					b.Errorf("%v %s: %q does not say %q", level, topic, text, word)
				}
			}
			return
		}
	}
	b.Errorf("findings %+v; want a %v about %s", found, level, topic)
}

// sound has the flushing switched on, as a server for locks has.
func sound(t testing.TB) *pgtest.Server {
	return pgtest.Start(t, "-c", "fsync=on", "-c", "full_page_writes=on")
}

func TestCheckOfASoundServer(t *testing.T) {
	t.Parallel()
	b := newBed(t, sound(t))
	c := b.through(t, b.server.Addr)
	g := b.acquire(c, mutex("n", time.Minute))
	found, err := c.Check(b.ctx)
	if err != nil || backends.Worst(found) != backends.OK {
		t.Errorf("Check: %+v, %v; want nothing to mend", found, err)
	}
	var topics []string
	for _, f := range found {
		topics = append(topics, f.Topic)
	}
	if got := strings.Join(topics, " "); got != "version role schema rights pooler messages durability clock" {
		t.Errorf("topics %q", got)
	}
	b.release(c, g)
}

func TestCheckOfASchemaThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		sql   string
		topic string
		words []string
	}{
		"missing":           {"DROP SCHEMA lockkeeper CASCADE", "schema", []string{"has no schema", "postgres.Migrate", "lockkeeper-postgres migrate"}},
		"newer":             {"UPDATE lockkeeper.conf SET format = 99", "schema", []string{"has format 99", "update the program"}},
		"older":             {"UPDATE lockkeeper.conf SET format = 0", "schema", []string{"has format 0", "postgres.Migrate"}},
		"another program's": {"DROP SCHEMA lockkeeper CASCADE; CREATE SCHEMA lockkeeper; CREATE TABLE lockkeeper.users ()", "schema", []string{"has no locks", "?schema="}},
	} {
		t.Run(strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, server.Get(t))
			b.exec(c.sql)
			b.finds(b.through(t, b.server.Addr), backends.Failure, c.topic, c.words...)
		})
	}
}

func TestCheckOfRights(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	b.exec("CREATE ROLE lockkeeper_few LOGIN")
	t.Cleanup(func() {
		b.ctx = context.Background()
		b.exec("DROP OWNED BY lockkeeper_few; DROP ROLE lockkeeper_few")
	})
	c := b.of(t, b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) { cfg.ConnConfig.User = b.schema + "_few" }))
	b.finds(c, backends.Failure, "rights", "may not use the schema", "GRANT USAGE ON SCHEMA "+b.schema, "GRANT EXECUTE")
	b.exec("GRANT USAGE ON SCHEMA lockkeeper TO lockkeeper_few; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA lockkeeper TO lockkeeper_few; " +
		"REVOKE EXECUTE ON FUNCTION lockkeeper.renew FROM lockkeeper_few")
	b.finds(c, backends.Failure, "rights", "may not call functions", "[renew]", "GRANT EXECUTE")
	b.exec("GRANT EXECUTE ON FUNCTION lockkeeper.renew TO lockkeeper_few; ALTER ROLE lockkeeper_few SET default_transaction_isolation = 'serializable'")
	b.finds(c, backends.OK, "rights", "may do all")
	b.exec("ALTER ROLE lockkeeper_few SET default_transaction_read_only = on")
	b.finds(c, backends.Failure, "role", "read-only by default", "ALTER ROLE")
	no := b.of(t, b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) { cfg.ConnConfig.User = "nobody" }))
	b.finds(no, backends.Failure, "rights", `role "nobody" does not exist`, "pg_hba.conf")
	no = b.of(t, b.pool(t, b.server.Addr, func(cfg *pgxpool.Config) { cfg.ConnConfig.Database = "none" }))
	b.finds(no, backends.Failure, "connection", `database "none" does not exist`, "createdb")
}

func TestCheckOfAStandby(t *testing.T) {
	t.Parallel()
	s := sound(t)
	b := newBed(t, s)
	standby := s.Standby(t, s.Addr)
	b.until("it has followed", func() bool {
		var n int
		err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS NOT NULL").Scan(&n)
		return err == nil && n == 1
	})
	b.finds(b.through(t, standby.Addr), backends.Failure, "role", "it is a standby", "target_session_attrs=read-write")
	b.finds(b.through(t, s.Addr), backends.Warning, "standbys", "1 connected, none of them synchronous", "synchronous_standby_names")
}

func TestCheckOfAnOldServer(t *testing.T) {
	t.Parallel()
	if f := postgres.CheckVersion(130014, "13.14"); f.Level != backends.Failure || !strings.Contains(f.Means, "PostgreSQL 14") || f.Mend == "" {
		t.Errorf("version 13: %+v", f)
	}
	if f := postgres.CheckVersion(140000, "14.0"); f.Level != backends.OK {
		t.Errorf("version 14: %+v", f)
	}
}

func TestCheckOfAPooler(t *testing.T) {
	t.Parallel()
	s := sound(t)
	b := newBed(t, s)
	for mode, plain := range map[string]bool{"session": true, "transaction": false, "statement": false} {
		addr := s.BouncerIn(t, mode)
		c := b.of(t, b.pool(t, addr, unprepared))
		b.finds(c, map[bool]backends.Level{true: backends.OK, false: backends.Warning}[plain], "messages")
		found, err := c.Check(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, f := range found {
			if f.Topic == "pooler" {
				said = f.What
			}
		}
		if !strings.Contains(said, mode+" mode") {
			t.Errorf("a pooler in %s mode: %q", mode, said)
		}
		g := b.acquire(c, mutex(mode, time.Minute)) // as the findings say, it works
		b.release(c, g)
	}
	addr := s.Bouncer(t)
	b.finds(b.through(t, addr), backends.Failure, "pooler", "does not know prepared statements", "default_query_exec_mode=exec")
	b.finds(b.of(t, b.pool(t, addr, unprepared), postgres.WithoutListener()), backends.Note, "messages", "does not listen")
}

func TestCheckOfAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	b := newBed(t, s)
	c := b.through(t, s.Addr)
	s.Kill()
	if found, err := c.Check(b.ctx); !errors.Is(err, backends.ErrUnavailable) || len(found) > 0 {
		t.Errorf("Check: %+v, %v; want ErrUnavailable", found, err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := c.Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Check: %v; want context.Canceled", err)
	}
	if err := c.Close(b.ctx); err != nil {
		t.Error(err)
	}
	if _, err := c.Check(b.ctx); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("Check: %v; want ErrClosed", err)
	}
}
