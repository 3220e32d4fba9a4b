package open

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
)

// SchemeError says that no store is known by the scheme of a text.
type SchemeError struct {
	Scheme string   // "" if the text has none
	Known  []string // in order
}

func (e *SchemeError) Error() string {
	what := "unknown store: no scheme"
	if e.Scheme != "" {
		what = fmt.Sprintf("unknown store %q", e.Scheme+":")
	}
	if e.Scheme == "postgres" || e.Scheme == "postgresql" {
		return what + ": want a program with its driver: lockkeeper-postgres in a shell, " +
			"or one that registers postgres.Open of the module backends/postgres"
	}
	return fmt.Sprintf("%s: want a path that begins with / or ./, or a URL of one of these: %s",
		what, strings.Join(e.Known, ", "))
}

// Is reports whether target is backends.ErrInvalid.
func (e *SchemeError) Is(target error) bool { return target == backends.ErrInvalid }

// errOptions stands for what the client library says of a URL, which may repeat a part of it.
var errOptions = errors.New("invalid options")

// invalid refuses a store, which is shown without a password.
func invalid(shown, want string) error {
	return &backends.InvalidError{Field: "store", Value: shown, Want: want}
}
