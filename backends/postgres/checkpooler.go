package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends"
)

// isNoTLS reports whether the server has refused TLS. The driver has no error for it but its text.
func isNoTLS(err error) bool { return strings.Contains(err.Error(), "server refused TLS connection") }

// pooler finds out whether a pooler stands before the server, and in which mode: a pooler does not
// tell the number of the server's process when a client connects.
func (x *exam) pooler(ctx context.Context, _ *settings) error {
	var pid uint32
	if err := x.conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid); err != nil {
		return err
	}
	if pid == x.conn.PgConn().PID() {
		x.ok("pooler", "none")
		return nil
	}
	mode, err := x.mode(ctx)
	if err != nil {
		return err
	}
	what := "there is a pooler in " + mode + " mode"
	if mode == inSession {
		x.add(backends.OK, "pooler", what, "each connection of a pool is one of the server", "")
		return nil
	}
	if known, err := x.knowsPrepared(ctx); err != nil {
		return err
	} else if !known {
		x.add(backends.Failure, "pooler", what+" that does not know prepared statements", "calls fail at any time",
			"add default_query_exec_mode=exec to the URL, or set max_prepared_statements in PgBouncer 1.21 or later")
		return nil
	}
	x.ok("pooler", what)
	return nil
}

// The modes of a pooler.
const (
	inSession     = "session"
	inTransaction = "transaction"
	inStatement   = "statement"
)

// mode tells in which mode the pooler is. A setting of a session is gone when another client has the
// server's session meanwhile.
func (x *exam) mode(ctx context.Context) (string, error) {
	other, err := x.b.dial(ctx)
	if err != nil {
		return "", err
	}
	defer hangUp(other)
	mark := fmt.Sprintf("%x", rand.Uint64())
	const set, get = "SELECT set_config('lockkeeper.probe', '%s', false)", "SELECT coalesce(current_setting('lockkeeper.probe', true), '')"
	if _, err := x.conn.Exec(ctx, fmt.Sprintf(set, mark), pgx.QueryExecModeSimpleProtocol); err != nil {
		return "", err
	}
	defer func() { _, _ = x.conn.Exec(ctx, fmt.Sprintf(set, ""), pgx.QueryExecModeSimpleProtocol) }()
	tx, err := other.Begin(ctx)
	if err == nil {
		defer func() { _ = tx.Rollback(ctx) }()
		var theirs, mine string
		if err = tx.QueryRow(ctx, get, pgx.QueryExecModeSimpleProtocol).Scan(&theirs); err == nil {
			err = x.conn.QueryRow(ctx, get, pgx.QueryExecModeSimpleProtocol).Scan(&mine)
		}
		if err == nil && (theirs == mark || mine != mark) {
			return inTransaction, nil
		} else if err == nil {
			return inSession, nil
		}
	}
	if said := stateOf(err); said != nil { // transaction blocks are not allowed
		return inStatement, nil
	}
	return "", err
}

// knowsPrepared reports whether the statements of the pool can be prepared: they are not, or the
// pooler prepares them on each session of the server.
func (x *exam) knowsPrepared(ctx context.Context) (bool, error) {
	switch x.b.pool.Config().ConnConfig.DefaultQueryExecMode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheDescribe:
		return true, nil
	}
	// Prepared under one name by two clients: sessions of the server that they share know one of them.
	other, err := x.b.dial(ctx)
	if err != nil {
		return false, err
	}
	defer hangUp(other)
	name := fmt.Sprintf("lockkeeper_%x", rand.Uint64())
	for n, c := range []*pgx.Conn{x.conn, other} {
		if _, err = c.PgConn().Prepare(ctx, name, fmt.Sprintf("SELECT %d", n), nil); err != nil {
			break
		}
	}
	if err == nil {
		_, err = x.conn.PgConn().ExecPrepared(ctx, name, nil, nil, nil).Close()
	}
	if said := stateOf(err); said != nil {
		return false, nil
	}
	return true, err
}

// messages sends one on the client's channel, and waits for it.
func (x *exam) messages(ctx context.Context, s *settings) error {
	const late = "waiters hear of a grant from their heartbeat only, up to a second late, and holders of waiters"
	if x.b.opt.deaf {
		x.add(backends.Note, "messages", "the client does not listen", late, "")
		return nil
	}
	if s.standby {
		return nil // which refuses LISTEN
	}
	within, cancel := context.WithTimeout(ctx, newsTime)
	defer cancel()
	conn, err := x.b.subscribe(within)
	if err == nil {
		defer hangUp(conn)
		if _, err := x.conn.Exec(ctx, "SELECT pg_notify($1, '')", pgx.QueryExecModeExec, x.b.channel()); err != nil {
			return err
		}
		_, err = conn.WaitForNotification(within)
	}
	switch {
	case err == nil:
		x.ok("messages", "they arrive")
	case ctx.Err() != nil:
		return err
	default:
		what := "they do not arrive"
		if stateOf(err) != nil {
			what += ": " + err.Error()
		}
		x.add(backends.Warning, "messages", what, late, "a pooler in transaction or statement mode delivers none: "+
			"give a connection around it with WithListener, or ?listen=HOST:PORT in the URL")
	}
	return nil
}
