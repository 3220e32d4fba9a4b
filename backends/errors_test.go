package backends_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestTypedErrorsAreTheirSentinels(t *testing.T) {
	all := []error{
		backends.ErrBusy, backends.ErrLost, backends.ErrReleased, backends.ErrClosed, backends.ErrInvalid, backends.ErrInvalidName,
		backends.ErrTooLarge, backends.ErrMismatch, backends.ErrDeadlock, backends.ErrUnavailable, backends.ErrPermission,
		backends.ErrUnsupported,
	}
	tests := []struct {
		err  error
		want []error
	}{
		{&backends.LostError{}, []error{backends.ErrLost}},
		{&backends.LostError{Cause: backends.ErrUnavailable}, []error{backends.ErrLost, backends.ErrUnavailable}},
		{&backends.InvalidError{Field: "weight"}, []error{backends.ErrInvalid}},
		{&backends.InvalidError{Field: "name"}, []error{backends.ErrInvalid, backends.ErrInvalidName}},
		{&backends.MismatchError{}, []error{backends.ErrMismatch}},
		{&backends.DeadlockError{}, []error{backends.ErrDeadlock}},
	}
	for _, test := range tests {
		wrapped := fmt.Errorf("file: acquire %q: %w", "db", test.err)
		for _, sentinel := range all {
			want := false
			for _, w := range test.want {
				want = want || w == sentinel
			}
			if got := errors.Is(wrapped, sentinel); got != want {
				t.Errorf("errors.Is(%#v, %v) = %v", test.err, sentinel, got)
			}
		}
	}
}

func TestSentinelsAreDifferent(t *testing.T) {
	seen := make(map[string]bool)
	for _, err := range []error{
		backends.ErrBusy, backends.ErrLost, backends.ErrReleased, backends.ErrClosed, backends.ErrInvalid, backends.ErrInvalidName,
		backends.ErrTooLarge, backends.ErrMismatch, backends.ErrDeadlock, backends.ErrUnavailable, backends.ErrPermission,
		backends.ErrUnsupported,
	} {
		if seen[err.Error()] {
			t.Errorf("two errors say %q", err)
		}
		seen[err.Error()] = true
	}
}

func TestLostErrorKeepsItsCause(t *testing.T) {
	err := error(&backends.LostError{Name: "db", Token: 7, Reason: backends.Expired, Cause: context.DeadlineExceeded})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, backends.ErrLost) {
		t.Errorf("%v is not its cause, or not ErrLost", err)
	}
	if want := `lease on "db" (token 7) lost: expired: context deadline exceeded`; err.Error() != want {
		t.Errorf("Error = %q; want %q", err, want)
	}
}

func TestMessagesSayWhatToDo(t *testing.T) {
	have := backends.Resource{Name: "db", Kind: backends.Semaphore, Capacity: 3}
	want := backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}
	for text, err := range map[string]error{
		`"db" is in use as a semaphore of 3 permits, not as a lock`: &backends.MismatchError{Have: have, Want: want},
		"deadlock: this context already holds it; see Reentrant": &backends.DeadlockError{
			Cycle: []string{"a"},
		},
		`deadlock over ["a" "b"]`:            &backends.DeadlockError{Cycle: []string{"a", "b"}},
		`invalid weight -1: want at least 1`: &backends.InvalidError{Field: "weight", Value: int64(-1), Want: "at least 1"},
		`invalid name "a\x00": want x`:       &backends.InvalidError{Field: "name", Value: "a\x00", Want: "x"},
	} {
		if err.Error() != text {
			t.Errorf("Error = %q; want %q", err, text)
		}
	}
}

func TestHugeValueMakesShortMessage(t *testing.T) {
	err := backends.CheckName(strings.Repeat("x", 1<<20))
	if text := err.Error(); len(text) > 200 || !strings.Contains(text, "1048576 bytes") {
		t.Errorf("the message has %d bytes: %.200s", len(text), text)
	}
}

func TestOpErrorSaysANameOnce(t *testing.T) {
	x := backends.Resource{Name: "x", Kind: backends.Mutex, Capacity: 1}
	for want, err := range map[string]error{
		`acquire "x": busy`:                      &backends.OpError{Op: "acquire", Name: "x", Err: backends.ErrBusy},
		`redis: acquire "x": store unavailable`:  &backends.OpError{Store: "redis", Op: "acquire", Name: "x", Err: backends.ErrUnavailable},
		`redis: list: permission denied`:         &backends.OpError{Store: "redis", Op: "list", Err: backends.ErrPermission},
		`release: lease on "x" (token 7) lost: `: &backends.OpError{Op: "release", Name: "x", Err: &backends.LostError{Name: "x", Token: 7}},
		`acquire: "x" is in use as a lock, not as a lock`: &backends.OpError{
			Op: "acquire", Name: "x", Err: fmt.Errorf("%w", &backends.MismatchError{Have: x, Want: x}),
		},
		`release "y": lease on "x" (token 7) lost: `: &backends.OpError{Op: "release", Name: "y", Err: &backends.LostError{Name: "x", Token: 7}},
	} {
		if err.Error() != want {
			t.Errorf("%s; want %s", err, want)
		}
	}
}
