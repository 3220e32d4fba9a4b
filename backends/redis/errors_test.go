package redis

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestErrorsAreClassified(t *testing.T) {
	b := &Backend{}
	for text, want := range map[string]error{
		"LOADING Redis is loading the dataset in memory":                                    backends.ErrUnavailable,
		"READONLY You can't write against a read only replica.":                             backends.ErrUnavailable,
		"CLUSTERDOWN The cluster is down":                                                   backends.ErrUnavailable,
		"TRYAGAIN Multiple keys request during rehashing of slot":                           backends.ErrUnavailable,
		"BUSY Redis is busy running a script":                                               backends.ErrUnavailable,
		"OOM command not allowed when used memory > 'maxmemory'.":                           backends.ErrUnavailable,
		"MISCONF Redis is configured to save RDB snapshots":                                 backends.ErrUnavailable,
		"NOREPLICAS Not enough good replicas to write.":                                     backends.ErrUnavailable,
		"ERR max number of clients reached":                                                 backends.ErrUnavailable,
		"NOAUTH Authentication required.":                                                   backends.ErrPermission,
		"WRONGPASS invalid username-password pair or user is disabled.":                     backends.ErrPermission,
		"NOPERM this user has no permissions to run the 'evalsha' command":                  backends.ErrPermission,
		"ERR The user executing the script can't run this command or subcommand script: x":  backends.ErrPermission,
		"ERR AUTH <password> called without any password configured for the default user.":  backends.ErrPermission,
		"ERR Protocol error: unauthenticated multibulk length":                              backends.ErrPermission,
		"ERR DB index is out of range":                                                      backends.ErrInvalid,
		"ERR invalid DB index":                                                              backends.ErrInvalid,
		"ERR SELECT is not allowed in cluster mode":                                         backends.ErrInvalid,
		"WRONGTYPE Operation against a key holding the wrong kind of value script: x, on y": backends.ErrMismatch,
		"ERR Error running script: something that nobody has thought of":                    backends.ErrUnavailable,
	} {
		err := b.classify(scriptError(text))
		for _, sentinel := range []error{backends.ErrUnavailable, backends.ErrPermission, backends.ErrMismatch,
			backends.ErrInvalid, backends.ErrBusy, backends.ErrLost} {
			if errors.Is(err, sentinel) != (sentinel == want) {
				t.Errorf("%q is classified as %v, want %v", text, err, want)
			}
		}
	}
	if err := b.classify(io.EOF); !errors.Is(err, backends.ErrUnavailable) || !errors.Is(err, io.EOF) {
		t.Errorf("EOF is classified as %v", err)
	}
	if err := b.classify(nil); err != nil {
		t.Errorf("no error is classified as %v", err)
	}
	b.closing.Store(true)
	if err := b.classify(io.EOF); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("what Close interrupts is classified as %v", err)
	}
}

// A server that wants a password refuses a long command without saying so.
func TestAMissingPasswordIsNamed(t *testing.T) {
	err := (&Backend{}).classify(scriptError("ERR Protocol error: unauthenticated multibulk length"))
	if !strings.Contains(err.Error(), "password") {
		t.Errorf("got %q, which does not speak of a password", err)
	}
}

func TestDeadlineIsBlamedForATimeout(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	if err := blame(ctx, backends.ErrUnavailable); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	for _, err := range []error{nil, backends.ErrBusy} {
		if got := blame(ctx, err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if err := blame(context.Background(), backends.ErrUnavailable); errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a deadline: %v", err)
	}
}

func TestCauseOfACancellationIsTold(t *testing.T) {
	cause := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if err := backends.Ended(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("ended says %v", err)
	}
}
