package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Migrations has the SQL files that make the schema, for tools such as goose. Each brings the
// schema from one format to the next. [Migrate] runs the same files.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// format is the version of the schema that this package knows.
const format = 1

// SchemaError says that a schema cannot be used. errors.Is(err, backends.ErrMismatch) holds.
type SchemaError struct {
	Schema string
	Have   int // its format; 0: it is not there; -1: it is another program's
	Want   int // the format of this package
}

func (e *SchemaError) Error() string {
	switch {
	case e.Have == 0:
		return fmt.Sprintf("the database has no locks in schema %s: run %s", e.Schema, migrateCalls)
	case e.Have < 0:
		return fmt.Sprintf("schema %s is another program's: choose another one with WithSchema", e.Schema)
	case e.Have > e.Want:
		return fmt.Sprintf("schema %s has format %d, and this program knows %d: update the program",
			e.Schema, e.Have, e.Want)
	}
	return fmt.Sprintf("schema %s has format %d, and this program needs %d: run %s",
		e.Schema, e.Have, e.Want, migrateCalls)
}

// migrateCalls says how to install the locks.
const migrateCalls = "postgres.Migrate, or lockkeeper-postgres migrate"

// Is reports whether target is backends.ErrMismatch.
func (e *SchemaError) Is(target error) bool { return target == backends.ErrMismatch }

// Migrate installs the locks in a database, or brings them to the format of this package. It may be
// called at every start of a program, by several programs at once. Its user needs the right to
// create a schema, or the ownership of an empty one. Of the options it uses [WithSchema] only.
//
// A schema that is another program's, or that has a newer format, is refused with a *SchemaError.
// After an error the database is as it was.
func Migrate(ctx context.Context, conn *pgx.Conn, opts ...Option) error {
	o, err := newOptions(opts)
	if err == nil {
		err = backends.CheckContext(ctx)
	}
	if err == nil && conn == nil {
		err = &backends.InvalidError{Field: "connection", Value: nil, Want: "not nil"}
	}
	if err == nil {
		err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite},
			func(tx pgx.Tx) error { return migrate(ctx, tx, o.schema) })
	}
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	return nil
}

// migrate runs the files that a schema lacks. An advisory lock lets one program do so at a time.
func migrate(ctx context.Context, tx pgx.Tx, schema string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(4917, hashtext($1))`, schema); err != nil {
		return err
	}
	have, err := formatOf(ctx, tx, schema)
	if err != nil {
		return err
	}
	if have < 0 || have > format {
		return &SchemaError{Schema: schema, Have: have, Want: format}
	}
	files, err := Migrations.ReadDir("migrations")
	if err != nil {
		return err
	}
	for _, f := range files[have:] {
		text, err := Migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return err
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, in(schema, string(text))).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return nil
}

// formatOf returns the format of a schema; 0 if there is none, or it is empty; -1 if it has
// something else.
func formatOf(ctx context.Context, tx pgx.Tx, schema string) (have int, err error) {
	err = tx.QueryRow(ctx, `SELECT CASE
		WHEN to_regclass($1 || '.conf') IS NOT NULL AND to_regprocedure($1 || '.format()') IS NOT NULL THEN 1
		WHEN EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace($1))
			OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace($1)) THEN -1
		ELSE 0 END`, schema).Scan(&have)
	if err != nil || have <= 0 {
		return have, err
	}
	err = tx.QueryRow(ctx, in(schema, `SELECT format FROM lockkeeper.conf`)).Scan(&have)
	if errors.Is(err, pgx.ErrNoRows) {
		return -1, nil
	}
	return have, err
}

var defaultName = regexp.MustCompile(`\b` + DefaultSchema + `\b`)

// in is SQL for another schema.
func in(schema, sql string) string { return defaultName.ReplaceAllString(sql, schema) }

// texts are the statements of a backend.
type texts struct {
	format, op, take, give, renew, heartbeat, detach, adopt, end, list, sweep string
}

func newTexts(schema string) texts {
	f := func(call string) string { return "SELECT " + schema + "." + call }
	return texts{
		format:    f("format()"),
		op:        "SELECT answer, owner FROM " + schema + ".op($1,$2,$3,$4,$5,$6,$7)",
		take:      f("take($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)"),
		give:      f("give($1,$2,$3,$4)"),
		renew:     f("renew($1,$2,$3,$4,$5)"),
		heartbeat: f("heartbeat($1,$2,$3)"),
		detach:    f("detach($1,$2,$3,$4,$5,$6)"),
		adopt:     f("adopt($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)"),
		end:       f("break($1)"),
		list:      "SELECT * FROM " + schema + ".list($1,$2,$3)",
		sweep:     f("sweep($1)"),
	}
}
