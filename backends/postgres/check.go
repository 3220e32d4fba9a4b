package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends"
)

var _ backends.Checker = (*Backend)(nil)

const (
	leastVersion = 140000
	newsTime     = 2 * time.Second // in which a message must arrive
	clockApart   = time.Second     // how far apart clocks may be before it is worth a word
	nothingWorks = "nothing can be locked"
)

// Check looks at the server as the pool's user sees it: connection, version, role, schema, rights,
// pooler, messages, isolation, durability, standbys and clock. It writes nothing. It takes up to 2 s
// where messages do not arrive. A server that answers with a refusal is a finding. Only a server that
// does not answer is an error. See [backends.Checker].
func (b *Backend) Check(ctx context.Context) ([]backends.Finding, error) {
	x := &exam{b: b}
	var err error
	if e := b.do(ctx, func() { err = x.run(ctx) }); e != nil { // and x and err are the task's alone
		return nil, wrap("check", "", e)
	}
	return x.found, wrap("check", "", err)
}

// exam is one look at a server.
type exam struct {
	b     *Backend
	conn  *pgx.Conn
	found []backends.Finding
}

func (x *exam) add(level backends.Level, topic, what, means, mend string) {
	x.found = append(x.found, backends.Finding{Level: level, Topic: topic, What: what, Means: means, Mend: mend})
}

func (x *exam) ok(topic, what string) { x.add(backends.OK, topic, what, "", "") }

// run looks at everything that can be looked at. The error is that of a server that does not answer.
func (x *exam) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	conn, err := x.b.dial(ctx)
	if err != nil {
		return x.refused(ctx, err)
	}
	defer hangUp(conn)
	x.conn = conn
	s, err := x.settings(ctx)
	if err != nil {
		return x.refused(ctx, err)
	}
	for _, look := range []func(context.Context, *settings) error{
		x.version, x.role, x.schema, x.pooler, x.messages, x.isolation, x.durability, x.standbys, x.clock,
	} {
		if err := look(ctx, s); err != nil {
			return x.refused(ctx, err)
		}
	}
	return nil
}

// refused makes a finding of what the server says; an error without a word of the server stays one.
func (x *exam) refused(ctx context.Context, err error) error {
	said := stateOf(err)
	switch {
	case errors.Is(err, context.Canceled), said == nil && ctx.Err() != nil:
		return x.b.classify(err)
	case said == nil && isNoTLS(err):
		x.add(backends.Failure, "connection", "the server does not speak TLS", nothingWorks, "add sslmode=disable to the URL, or switch ssl on at the server")
	case said == nil:
		return x.b.classify(err)
	case said.Code == "28P01" || said.Code == "28000":
		x.add(backends.Failure, "rights", "the server refuses the user or the password: "+said.Message, nothingWorks,
			"give the right user and password, postgres://USER:PASSWORD@HOST/DATABASE, or let the user in by pg_hba.conf")
	case said.Code == "3D000":
		x.add(backends.Failure, "connection", said.Message, nothingWorks, "give a database that the server has, or create it: createdb")
	case said.Code == "53300":
		x.add(backends.Failure, "connection", "the server takes no further connection: "+said.Message, nothingWorks,
			"raise max_connections, or put a pooler before the server")
	case said.Code == "57P03":
		x.add(backends.Failure, "connection", said.Message, nothingWorks, "wait until the server has started, and check again")
	default:
		x.add(backends.Failure, "connection", fmt.Sprintf("the server refuses: %s (SQLSTATE %s)", said.Message, said.Code), nothingWorks,
			"see the server's message; if the cause may pass, check again")
	}
	return nil
}

// settings are what the server says of itself.
type settings struct {
	number                                    int
	name, user                                string
	standby                                   bool
	readOnly, isolation, fsync, pages, commit string
	names                                     string // of synchronous standbys
	standbys                                  int64
	sent                                      time.Time
	trip                                      time.Duration
	now                                       time.Time
}

func (x *exam) settings(ctx context.Context) (*settings, error) {
	s := &settings{sent: time.Now()}
	err := x.conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_user::text, pg_is_in_recovery(), current_setting('transaction_read_only'),
		current_setting('default_transaction_isolation'), current_setting('fsync'), current_setting('full_page_writes'),
		current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
		(SELECT count(*) FROM pg_stat_replication), clock_timestamp()`, pgx.QueryExecModeExec).Scan(
		&s.number, &s.name, &s.user, &s.standby, &s.readOnly, &s.isolation, &s.fsync, &s.pages, &s.commit, &s.names,
		&s.standbys, &s.now)
	s.trip = time.Since(s.sent)
	return s, err
}

func (x *exam) version(_ context.Context, s *settings) error {
	if what := "PostgreSQL " + s.name; s.number < leastVersion {
		x.add(backends.Failure, "version", what, "the functions need PostgreSQL 14 or later", "upgrade the server")
	} else {
		x.ok("version", what)
	}
	return nil
}

func (x *exam) role(_ context.Context, s *settings) error {
	switch {
	case s.standby:
		x.add(backends.Failure, "role", "it is a standby: it takes no writes", nothingWorks,
			"connect to the primary; with several hosts in the URL, add target_session_attrs=read-write")
	case s.readOnly == "on":
		x.add(backends.Failure, "role", "transactions are read-only by default", nothingWorks,
			fmt.Sprintf("ALTER ROLE %s SET default_transaction_read_only = off, or the same for the database", pgx.Identifier{s.user}.Sanitize()))
	default:
		x.ok("role", "it is a primary")
	}
	return nil
}

// schema looks at the schema, and at the rights to it.
func (x *exam) schema(ctx context.Context, s *settings) error {
	schema := x.b.opt.schema
	var exists, usage, ours bool
	var lacks []string
	err := x.conn.QueryRow(ctx, `SELECT n.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'USAGE'), false),
		EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'format'),
		ARRAY(SELECT DISTINCT p.proname::text FROM pg_proc p WHERE p.pronamespace = n.oid AND left(p.proname, 1) <> '_'
			AND NOT has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1)
		FROM (SELECT to_regnamespace($1)::oid AS oid) n`, pgx.QueryExecModeExec, schema).Scan(&exists, &usage, &ours, &lacks)
	if err != nil {
		return err
	}
	user := pgx.Identifier{s.user}.Sanitize()
	const migrate = "run postgres.Migrate, or lockkeeper-postgres migrate, as a user that may create a schema"
	switch {
	case !exists:
		x.add(backends.Failure, "schema", "the database has no schema "+schema, nothingWorks, migrate)
		return nil
	case !ours:
		x.add(backends.Failure, "schema", "schema "+schema+" has no locks", nothingWorks,
			"if the schema is empty, "+migrate+"; if it is another program's, choose another one with WithSchema, or ?schema= in the URL")
		return nil
	case !usage || len(lacks) > 0:
		what := "the user " + user + " may not use the schema " + schema
		if usage {
			what = fmt.Sprintf("the user %s may not call functions of schema %s: %v", user, schema, lacks)
		}
		x.add(backends.Failure, "rights", what, nothingWorks, fmt.Sprintf(
			"GRANT USAGE ON SCHEMA %[1]s TO %[2]s; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %[1]s TO %[2]s", schema, user))
		return nil
	}
	var have int
	if err := x.conn.QueryRow(ctx, x.b.call.format, pgx.QueryExecModeExec).Scan(&have); err != nil {
		return err
	}
	what := fmt.Sprintf("schema %s has format %d", schema, have)
	switch {
	case have > format:
		x.add(backends.Failure, "schema", fmt.Sprintf("%s, and this program knows %d", what, format), nothingWorks, "update the program")
	case have < format:
		x.add(backends.Failure, "schema", fmt.Sprintf("%s, and this program needs %d", what, format), nothingWorks, migrate)
	default:
		x.ok("schema", what)
	}
	x.ok("rights", "the user may do all that is needed")
	return nil
}

func (x *exam) isolation(_ context.Context, s *settings) error {
	if s.isolation != "read committed" {
		x.add(backends.Note, "isolation", "default_transaction_isolation is "+s.isolation, "each statement takes two round trips more",
			fmt.Sprintf("ALTER ROLE %s SET default_transaction_isolation = 'read committed'", pgx.Identifier{s.user}.Sanitize()))
	}
	return nil
}

func (x *exam) durability(_ context.Context, s *settings) error {
	switch {
	case s.fsync != "on":
		x.add(backends.Warning, "durability", "fsync is "+s.fsync,
			"a crash of the machine may forget any grant, and two processes hold the same lock; only fencing tokens protect", "set fsync = on")
	case s.pages != "on":
		x.add(backends.Warning, "durability", "full_page_writes is "+s.pages,
			"a crash of the machine may damage the tables, unless the file system never tears a page", "set full_page_writes = on")
	default:
		x.ok("durability", "grants that last longer than the pause are on the disk before they are answered")
	}
	return nil
}

func (x *exam) standbys(_ context.Context, s *settings) error {
	switch what := fmt.Sprintf("%d connected", s.standbys); {
	case s.standbys > 0 && s.names == "":
		x.add(backends.Warning, "standbys", what+", none of them synchronous",
			"a failover may forget a grant that lasts longer than the pause, and two processes hold the same lock until the first one's renewal",
			"set synchronous_standby_names, or the pause in lockkeeper.conf to the longest time to live; fencing tokens protect in any case")
	case s.standbys > 0 && (s.commit == "off" || s.commit == "local"):
		x.add(backends.Note, "standbys", what+", and synchronous_commit is "+s.commit, "grants that last longer than the pause wait for the disk of the server only",
			"set synchronous_commit = on for the user of the locks")
	case s.standbys > 0:
		x.ok("standbys", what)
	}
	return nil
}

func (x *exam) clock(_ context.Context, s *settings) error {
	apart := s.now.Sub(s.sent.Add(s.trip / 2)).Round(time.Millisecond)
	if apart.Abs()-s.trip/2 > clockApart {
		x.add(backends.Note, "clock", fmt.Sprintf("the server's clock is %v apart from this machine's", apart),
			"nothing while this server lives, since only its clock counts; after a failover to a server whose clock is behind, grants last longer",
			"run NTP on every server")
	} else {
		x.ok("clock", fmt.Sprintf("the server's clock is within %v of this machine's", max(apart.Abs(), s.trip.Round(time.Millisecond))))
	}
	return nil
}
