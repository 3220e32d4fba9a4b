package postgres

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Open opens the locks in the database that a URL names, with a pool of their own, which is closed
// with the backend. It is an open.Opener, for programs whose configuration names a store:
//
//	open.Register("postgres", postgres.Open) // in main
//	…
//	store, err := open.Store(ctx, "postgres://app@db1/app")
//
// The URL is one of pgxpool.ParseConfig, and may have two parameters more: schema=NAME, see
// [WithSchema], and listen=HOST:PORT, see [WithListener]; listen=none is [WithoutListener]. Open does
// not connect: the first acquire does. Its error is a *backends.InvalidError without the password.
func Open(_ context.Context, text string) (backends.Backend, error) {
	b, err := openURL(text)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return b, nil
}

// target is what a URL says.
type target struct {
	pool *pgxpool.Config
	opts []Option
}

func openURL(text string) (*Backend, error) {
	t, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), t.pool)
	if err != nil {
		return nil, err
	}
	b, err := New(pool, t.opts...)
	if err != nil {
		pool.Close()
		return nil, err
	}
	b.owns = true
	return b, nil
}

// plainHost is what shows no password: hosts, each with a port or without.
var plainHost = regexp.MustCompile(`^((\[[0-9A-Fa-f:.%]+\]|[\w.-]+)(:\d*)?(,|$))*$`)

func parseURL(text string) (t target, err error) {
	const want = "postgres://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE[?OPTION=VALUE…]"
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return t, &backends.InvalidError{Field: "store", Value: "no URL of PostgreSQL", Want: want}
	}
	host := u.Host
	if !plainHost.MatchString(host) {
		host = "…" // an @ that was forgotten makes a password a part of it
	}
	q := u.Query()
	schema, listen := q.Get("schema"), q.Get("listen")
	q.Del("schema")
	q.Del("listen")
	u.RawQuery = q.Encode()
	if t.pool, err = pgxpool.ParseConfig(u.String()); err != nil { // and says why with parts of the text
		return t, &backends.InvalidError{
			Field: "store", Value: u.Scheme + "://" + host, Want: want + ", with options of libpq and of the driver"}
	}
	if schema != "" {
		t.opts = append(t.opts, WithSchema(schema))
	}
	switch listen {
	case "":
	case "none":
		t.opts = append(t.opts, WithoutListener())
	default:
		direct, err := around(t.pool.ConnConfig, listen)
		if err != nil {
			return t, &backends.InvalidError{Field: "listen", Value: "no address", Want: "HOST:PORT, or none"}
		}
		t.opts = append(t.opts, WithListener(direct))
	}
	return t, nil
}

// MigrateURL is [Migrate] for the store that a URL names, see [Open]. Unless role is empty, the role
// is then granted what users of the locks need.
func MigrateURL(ctx context.Context, text, role string) error {
	t, err := parseURL(text)
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	o, err := newOptions(t.opts)
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, t.pool.ConnConfig)
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	defer hangUp(conn)
	if err := Migrate(ctx, conn, t.opts...); err != nil || role == "" {
		return err
	}
	to := pgx.Identifier{role}.Sanitize()
	_, err = conn.PgConn().Exec(ctx, "GRANT USAGE ON SCHEMA "+o.schema+" TO "+to+
		"; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA "+o.schema+" TO "+to).ReadAll()
	if err != nil {
		return fmt.Errorf("postgres: migrate: grant: %w", err)
	}
	return nil
}

// around returns a configuration for a connection to another address.
func around(cfg *pgx.ConnConfig, addr string) (*pgx.ConnConfig, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, err
	}
	c := cfg.Copy()
	c.Host, c.Port, c.Fallbacks = host, uint16(port), nil
	if c.TLSConfig != nil && c.TLSConfig.ServerName != "" {
		c.TLSConfig.ServerName = host
	}
	return c, nil
}
