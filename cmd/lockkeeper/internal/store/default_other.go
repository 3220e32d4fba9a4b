//go:build !unix

package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// DefaultText is the place of the default store, for the help of the command.
const DefaultText = "lockkeeper in the user's cache directory (%LocalAppData% on Windows)."

// Default returns the directory of the user's default store: lockkeeper in the user's cache. It
// makes nothing.
func Default() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return filepath.Join(cache, "lockkeeper"), nil
}

// formerInUse reports false: the default store has not moved on these systems.
func formerInUse() (string, bool) { return "", false }

// trusted reports true: a mode says nothing on these systems.
func trusted(fs.FileInfo) bool { return true }

// userConfig is where the user keeps configuration.
func userConfig() (string, error) { return os.UserConfigDir() }
