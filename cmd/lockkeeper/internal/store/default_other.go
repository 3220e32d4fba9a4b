//go:build !unix

package store

import (
	"fmt"
	"os"
	"path/filepath"
)

// Default returns the user's own directory for locks: lockkeeper in the user's cache. If it is missing, [Open] makes it.
func Default() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return filepath.Join(cache, "lockkeeper"), nil
}

func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}
