package lockdir

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/lockkeeper/lockkeeper/backends"
)

var (
	// ErrReplaced is the error for a file that has lost its name.
	ErrReplaced   = errors.New("removed or replaced")
	errNotRegular = errors.New("not a regular file")
	errLinked     = errors.New("a file with other names (hard links), which would be the same lock")
)

// Gone reports whether an error says that a file has lost its name, and not merely that it is hard to tell.
func Gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrReplaced) || errors.Is(err, syscall.ENOTDIR)
}

// StoreError is unusable as an error of this package's own, for calls of no name.
func StoreError(verb, what string, err error) error {
	return fmt.Errorf("file: %w", Unusable(verb, what, err))
}

// Unusable turns what the operating system said into the contract's words: ErrPermission or ErrUnavailable, with the cause
// still visible. What is said in both is said once.
func Unusable(verb, what string, err error) error {
	sentinel := backends.ErrUnavailable
	if Refused(err) {
		sentinel = backends.ErrPermission
	}
	if p, ok := err.(*fs.PathError); ok && strings.HasPrefix(what, p.Path) { //nolint:errorlint // only the outermost
		err = p.Err
	}
	return fmt.Errorf("%s %s: %w", verb, what, &refusal{sentinel, err})
}

// refusal is an error in the contract's words and those of the operating system.
type refusal struct{ sentinel, cause error }

func (r *refusal) Error() string {
	says, cause := r.sentinel.Error(), r.cause.Error()
	if cause == says || strings.HasSuffix(cause, ": "+says) {
		return cause
	}
	return says + ": " + cause
}

func (r *refusal) Unwrap() []error { return []error{r.sentinel, r.cause} }

// Unavailable is err as [backends.ErrUnavailable].
func Unavailable(err error) error { return &refusal{backends.ErrUnavailable, err} }
