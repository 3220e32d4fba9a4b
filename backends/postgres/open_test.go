package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/open"
)

var registered sync.Once // with -count a test runs again

// A store that is opened by its URL is a store like any other, and leaves nothing when it is closed.
func TestOpenByURL(t *testing.T) {
	t.Parallel()
	b := newBed(t, server.Get(t))
	role := b.schema + "_by_url"
	b.exec("DROP SCHEMA lockkeeper CASCADE; CREATE ROLE " + role + " LOGIN")
	t.Cleanup(func() { b.exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	url := b.server.DSN("postgres") + "&schema=" + b.schema
	if err := postgres.MigrateURL(b.ctx, url, role); err != nil {
		t.Fatal(err)
	}
	registered.Do(func() { open.Register("postgres", postgres.Open) })
	asRole := strings.Replace(url, "postgres@", role+":secret@", 1)
	for _, more := range []string{"", "&listen=none", "&listen=" + b.server.Addr, "&default_query_exec_mode=exec&pool_max_conns=1"} {
		store, err := open.Store(b.ctx, asRole+more)
		if err != nil {
			t.Fatalf("%s: %v", more, err)
		}
		r := mutex("n", time.Minute)
		g, err := backends.Acquire(b.ctx, store, r)
		if err != nil {
			t.Fatalf("%s: Acquire: %v", more, err)
		}
		if err := backends.Release(b.ctx, store, g); err != nil {
			t.Errorf("%s: Release: %v", more, err)
		}
		if err := store.Close(b.ctx); err != nil {
			t.Errorf("%s: Close: %v", more, err)
		}
		if _, err := backends.TryAcquire(b.ctx, store, r); !errors.Is(err, backends.ErrClosed) {
			t.Errorf("%s: TryAcquire of a closed store: %v", more, err)
		}
		b.until("its connections are closed", func() bool {
			var n int
			err := b.conn.QueryRow(b.ctx, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", role).Scan(&n)
			return err == nil && n == 0
		})
	}
	if a, err := open.Parse(asRole); err != nil || strings.Contains(a.String(), "secret") {
		t.Errorf("Parse: %v, %v", a, err)
	}
}

func TestURLsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://u:secret@h:x/d", "postgres://u:secret@h/d?sslmode=secret", "redis://u:secret@h", "postgres://u:secret@h/d?schema=A-B",
		"postgres://u:secret@h/d?listen=h", "postgres://u:secret@h/d?listen=h:x", "postgres://u:secret@h/d?default_query_exec_mode=secret",
		"postgres://u:secret%zz@h/d", "",
	} {
		b, err := postgres.Open(t.Context(), url)
		if b != nil || !errors.Is(err, backends.ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %v; want ErrInvalid without the password", url, b, err)
		}
		if err := postgres.MigrateURL(t.Context(), url, ""); !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("MigrateURL(%s): %v; want ErrInvalid", url, err)
		}
	}
}
