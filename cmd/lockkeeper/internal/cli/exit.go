package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

// exitCode is the status of this process. Its own are those of sysexits.h.
type exitCode int

const (
	exitOK          exitCode = 0
	exitViolated    exitCode = 1  // demo: the history shows a fault
	exitFound       exitCode = 1  // doctor: something is to be mended
	exitFree        exitCode = 1  // show: nothing holds the name
	exitUsage       exitCode = 64 // EX_USAGE
	exitUnavailable exitCode = 69 // EX_UNAVAILABLE
	exitBug         exitCode = 70 // EX_SOFTWARE
	exitOutput      exitCode = 74 // EX_IOERR
	exitBusy        exitCode = 75 // EX_TEMPFAIL: try again later
	exitLost        exitCode = 76 // EX_PROTOCOL
	exitPermission  exitCode = 77 // EX_NOPERM
)

// errOutput: standard output takes no more.
var errOutput = errors.New("standard output")

// codes are tried in this order: an error that wraps several counts as the first. A store that did not answer before
// the deadline is unavailable, not busy.
var codes = []struct {
	err  error
	code exitCode
}{
	{errOutput, exitOutput},
	{store.ErrRefused, exitUsage},
	{backends.ErrInvalid, exitUsage},
	{backends.ErrTooLarge, exitUsage},
	{backends.ErrMismatch, exitUsage},
	{backends.ErrPermission, exitPermission},
	{backends.ErrUnavailable, exitUnavailable},
	{errListen, exitUnavailable},
	{backends.ErrUnsupported, exitUnavailable},
	{backends.ErrLost, exitLost},
	{backends.ErrBusy, exitBusy},
	{context.DeadlineExceeded, exitBusy},
}

// unanswered is err, or says that the store gave no answer within the time for a look if that is
// why it failed: then the store is unavailable, and no lock is busy.
func unanswered(err error, within time.Duration) error {
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, backends.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: no answer within %v: %w", backends.ErrUnavailable, within, err)
}

// printed returns the error of a write to standard output.
func printed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errOutput, err)
}

// codeOf returns the exit status for an error.
func codeOf(err error) exitCode {
	var start *command.StartError
	if errors.As(err, &start) {
		return exitCode(start.Code)
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return exitBug
}
