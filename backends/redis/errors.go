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

var (
	errForeign = fmt.Errorf("%w: its key holds data of somebody else", backends.ErrMismatch)
	errVersion = fmt.Errorf("%w: its key has the format of another version", backends.ErrMismatch)
)

// wrap says which call failed.
func wrap(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return &backends.OpError{Store: capabilities.Name, Op: verb, Name: name, Err: err}
}

// ended returns the error of a context that is done or nil, else nil.
func ended(ctx context.Context) error {
	if err := backends.CheckContext(ctx); err != nil {
		return err
	}
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
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

// classify gives an error of the client or the server its sentinel. Whatever is not known to be
// final is ErrUnavailable: it says nothing about who holds what. A call that Close interrupts is
// ErrClosed, and so is a call through a client that its application has closed. A cluster's client
// also reports nodes that it has just left as closed.
func (b *Backend) classify(err error) error {
	if err == nil {
		return nil
	}
	if b.closing.Load() || b.clients.batch && errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("%w: %w", backends.ErrClosed, err)
	}
	var reply redis.Error
	if errors.As(err, &reply) {
		text := strings.TrimPrefix(reply.Error(), "ERR ")
		switch word, _, _ := strings.Cut(text, " "); word {
		case "WRONGTYPE":
			return fmt.Errorf("%w: %w", errForeign, err)
		case "NOAUTH", "NOPERM", "WRONGPASS":
			return fmt.Errorf("%w: %w", backends.ErrPermission, err)
		}
		if noDatabase(text) {
			return fmt.Errorf("%w: %w", backends.ErrInvalid, err)
		}
		// Three refusals come without a code: of a command inside a script, of a command too long
		// for a connection without a login, and of a password where none is set.
		if strings.HasPrefix(text, "The user executing the script") || strings.Contains(text, "has no permissions") ||
			strings.Contains(text, "unauthenticated") || strings.Contains(text, "without any password configured") {
			return fmt.Errorf("%w: %w", backends.ErrPermission, err)
		}
	}
	return fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
}

// noDatabase reports whether the server has refused the number of the database.
func noDatabase(text string) bool {
	return strings.HasPrefix(text, "DB index is out of range") || strings.HasPrefix(text, "invalid DB index") ||
		strings.HasPrefix(text, "SELECT is not allowed in cluster mode")
}

// final reports whether waiting on makes no sense.
func final(err error) bool { return !errors.Is(err, backends.ErrUnavailable) }

// refusal is the error of a code with which a script refuses a name; nil for other codes.
func refusal(code int64) error {
	switch code {
	case codeForeign:
		return errForeign
	case codeVersion:
		return errVersion
	}
	return nil
}

func lost(g backends.Grant, reason backends.LostReason) error {
	return &backends.LostError{Name: g.Resource.Name, Token: g.Token, Reason: reason}
}

func isLost(err error) bool { return errors.Is(err, backends.ErrLost) }
