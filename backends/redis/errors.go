package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// What the scripts find where a name's data cannot be used: see state.lua. They have changed nothing.
var (
	errForeign = fmt.Errorf("%w: one of its keys holds data of somebody else: "+
		"remove that key, or give the locks another prefix", backends.ErrMismatch)
	errVersion = fmt.Errorf("%w: its key has the format of another version: let all clients have the "+
		"same version; what an earlier one has left expires in ten minutes", backends.ErrMismatch)
)

// errDamaged is the error for a field of a name's hash that cannot be read.
func errDamaged(field string) error {
	return fmt.Errorf("%w: its hash is damaged in field %q: stop all that holds or waits for the name, "+
		"then delete its keys", backends.ErrMismatch, field)
}

// wrap says which call failed.
func wrap(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return &backends.OpError{Store: capabilities.Name, Op: verb, Name: name, Err: err}
}

// blame says that a context's deadline was the cause of err, where it was: connections are given the deadline too, and
// may notice it first.
func blame(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, backends.ErrUnavailable) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// expired is ended, and also tells when the deadline of ctx has passed: connections are given the
// deadline too, and may notice it first.
func expired(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return backends.Ended(ctx)
}

// classify gives an error of the client or the server its sentinel. Whatever is not known to be
// final is ErrUnavailable: it says nothing about who holds what. A call that Close interrupts is
// ErrClosed, and so is a call through a client that its application has closed. A cluster's client
// also reports nodes that it has just left as closed.
func (b *Backend) classify(err error) error {
	if err == nil {
		return nil
	}
	if b.closing.Load() || b.conns.batch && errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("%w: %w", backends.ErrClosed, err)
	}
	var reply redis.Error
	if errors.As(err, &reply) {
		text := strings.TrimPrefix(reply.Error(), "ERR ")
		switch word, rest, _ := strings.Cut(text, " "); word {
		case "WRONGTYPE", "FOREIGN":
			return errForeign
		case "VERSION":
			return errVersion
		case "DAMAGED":
			field, _, _ := strings.Cut(rest, " script: ")
			return errDamaged(field)
		case "NOAUTH", "NOPERM", "WRONGPASS":
			return fmt.Errorf("%w: %w", backends.ErrPermission, err)
		}
		if noDatabase(text) {
			return fmt.Errorf("%w: %w", backends.ErrInvalid, err)
		}
		// Three refusals come without a code: of a command too long for a connection without a login,
		// of a command inside a script, and of a password where none is set.
		if strings.Contains(text, "unauthenticated") {
			return fmt.Errorf("%w: the server wants a password: %w", backends.ErrPermission, err)
		}
		if strings.HasPrefix(text, "The user executing the script") || strings.Contains(text, "has no permissions") ||
			strings.Contains(text, "without any password configured") {
			return fmt.Errorf("%w: %w", backends.ErrPermission, err)
		}
		err = withoutArgs(err)
	}
	return fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
}

// briefError is an error with the end of its text left out.
type briefError struct {
	error
	text string
}

func (e *briefError) Error() string { return e.text }
func (e *briefError) Unwrap() error { return e.error }

// withoutArgs leaves out the arguments that a server repeats of a command that it does not know: the
// keys of the name and the label of the process.
func withoutArgs(err error) error {
	if text, _, found := strings.Cut(err.Error(), ", with args beginning with"); found {
		return &briefError{err, text}
	}
	return err
}

// noDatabase reports whether the server has refused the number of the database.
func noDatabase(text string) bool {
	return strings.HasPrefix(text, "DB index is out of range") || strings.HasPrefix(text, "invalid DB index") ||
		strings.HasPrefix(text, "SELECT is not allowed in cluster mode")
}

// final reports whether waiting on makes no sense.
func final(err error) bool { return !errors.Is(err, backends.ErrUnavailable) }

func lost(g backends.Grant, reason backends.LostReason) error {
	return &backends.LostError{Name: g.Resource.Name, Token: g.Token, Reason: reason}
}

func isLost(err error) bool { return errors.Is(err, backends.ErrLost) }
