package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/lockkeeper/lockkeeper/backends"
)

// SQLSTATEs of our functions and of the server.
const (
	stateNotHeld   = "LK001"
	stateIsolation = "LK002"
)

// errReply is the error for an answer that no function gives.
var errReply = errors.New("unexpected answer")

// errLate says that a grant had ended before its answer came, and that its permits would stay taken.
var errLate = fmt.Errorf("%w: the grant had ended before the server's answer came: the server or the "+
	"machine is too slow for the time to live", backends.ErrUnavailable)

// errPaused says that a try came within the pause after the server's restart.
var errPaused = fmt.Errorf("%w: the server has restarted, and grants nothing until what it may "+
	"have lost has expired", backends.ErrUnavailable)

// wrap says which call failed.
func wrap(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return &backends.OpError{Store: capabilities.Name, Op: verb, Name: name, Err: err}
}

func lost(g backends.Grant, reason backends.LostReason) error {
	return &backends.LostError{Name: g.Resource.Name, Token: g.Token, Reason: reason}
}

// classify gives an error of the server, the driver or the pool its sentinel. Whatever is not known
// to be final is ErrUnavailable: it says nothing about who holds what.
func (b *Backend) classify(err error) error {
	var schema *SchemaError
	said := stateOf(err)
	switch {
	case err == nil || errors.As(err, &schema) || errors.Is(err, backends.ErrClosed):
		return err
	case b.ctx.Err() != nil, errors.Is(err, puddle.ErrClosedPool):
		return fmt.Errorf("%w: %w", backends.ErrClosed, err)
	case said != nil:
		switch said.Code {
		case "42501", "28000", "28P01":
			return fmt.Errorf("%w: %w", backends.ErrPermission, err)
		case "3F000", "42883", "42P01":
			return &SchemaError{Schema: b.opt.schema, Want: format}
		case "3D000":
			return fmt.Errorf("%w: %w", backends.ErrInvalid, err)
		}
	}
	return fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
}

// final reports whether asking again is of no use.
func final(err error) bool {
	for _, f := range []error{
		backends.ErrClosed, backends.ErrMismatch, backends.ErrPermission, backends.ErrInvalid,
	} {
		if errors.Is(err, f) {
			return true
		}
	}
	return false
}

// stateOf returns what the server has said, or nil.
func stateOf(err error) *pgconn.PgError {
	var said *pgconn.PgError
	errors.As(err, &said)
	return said
}

// readOnly reports whether a statement has reached a standby, or a server that takes no writes now.
func readOnly(err error) bool {
	said := stateOf(err)
	return said != nil && (said.Code == "25006" || said.Code == "0A000") // a standby has no unlogged tables
}

// passing reports whether a statement that failed may succeed when it is repeated soon: its
// connection was lost, or led to the wrong server, or the server has taken it for the victim of a
// conflict.
func passing(err error) bool {
	said := stateOf(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, puddle.ErrClosedPool), errors.Is(err, errReply):
		return false
	case said == nil, readOnly(err):
		return true
	}
	switch said.Code {
	case "25P03", "40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03", "57P05":
		return true
	}
	return strings.HasPrefix(said.Code, "08")
}

// mayHaveRun reports whether a statement that failed after it was sent may have taken effect, or may
// still do so. The server's own error says that it was rolled back, unless that ended the session.
func mayHaveRun(err error) bool {
	said := stateOf(err)
	return err != nil && !pgconn.SafeToRetry(err) && (said == nil || said.Severity != "ERROR")
}
