//go:build !unix

package store

import (
	"fmt"
	"os"
	"path/filepath"
)

// Default returns the user's own directory for locks, lockkeeper in the user's cache, and makes it if it is missing.
func Default() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	dir := filepath.Join(cache, "lockkeeper")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return dir, nil
}
