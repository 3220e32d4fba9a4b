package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/open"
)

// ErrRefused says that a store is valid, but would not do what the user wants.
var ErrRefused = errors.New("store not usable")

// A Store is where locks are kept; it is not opened yet.
type Store struct {
	open.Address
	own bool // the directory is Default's: the user has named none
}

// InDirectory reports whether the store is a directory of this machine, and no server.
func (s Store) InDirectory() bool { return s.Dir() != "" }

// Exists tells whether there is anything to look at: nobody holds locks in a directory that nobody has made yet.
func (s Store) Exists() bool {
	if !s.InDirectory() {
		return true
	}
	_, err := os.Stat(s.Dir())
	return !errors.Is(err, fs.ErrNotExist)
}

// Parse parses a store as users write it: see [open.Store], or the name of a store in a
// configuration file. An empty text means the default store, see [Default]. The error wraps ErrRefused, [backends.ErrInvalid], or [backends.ErrPermission] or
// [backends.ErrUnavailable] if the home directory cannot be looked at. Nothing is opened or made.
func Parse(text string) (Store, error) {
	if text == "" {
		dir, err := Default()
		if err != nil {
			return Store{}, noDefault(err)
		}
		a, err := open.Parse("file:" + dir)
		return Store{a, true}, err
	}
	if isName(text) {
		var err error
		if text, err = lookUp(text); err != nil {
			return Store{}, err
		}
	}
	a, err := open.Parse(text)
	if err != nil {
		return Store{}, err
	}
	if a.Scheme() == "memory" {
		return Store{}, fmt.Errorf("%w: memory: ends with this process, so it would lock out nobody", ErrRefused)
	}
	return Store{a, false}, nil
}

// noDefault adds to an error of the default store what the user can do.
func noDefault(err error) error {
	return fmt.Errorf("default store: %w; name another with --store or LOCKKEEPER_STORE, such as file:DIR", err)
}

// unusable gives an error of the operating system its sentinel.
func unusable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", backends.ErrPermission, err)
	}
	return fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
}
