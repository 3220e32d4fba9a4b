//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Default returns the user's own directory for locks: lockkeeper under XDG_RUNTIME_DIR, or lockkeeper-UID under the system's
// directory for temporary files. If it is there, it must belong to the user, and nobody else may have any right to it: else the
// error wraps ErrUnsafe. If it is missing, [Open] makes it.
//
// The two are different directories. A job that runs with XDG_RUNTIME_DIR set and one that runs without it, as from
// cron, lock each other out only if both name the store.
func Default() (string, error) {
	dir := filepath.Join(os.TempDir(), "lockkeeper-"+strconv.Itoa(os.Getuid()))
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		dir = filepath.Join(runtime, "lockkeeper")
	}
	if err := checkPrivate(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return dir, nil
}

// makePrivate makes the directory that Default returned, unless it is there. Whoever else makes it meanwhile is found out.
func makePrivate(dir string) error {
	const private = 0o700
	if err := os.Mkdir(dir, private); err != nil && !os.IsExist(err) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return checkPrivate(dir)
}

// checkPrivate does not follow a symbolic link: somebody else may have put it there.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	const others = 0o077
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%w: %s is no directory", ErrUnsafe, dir)
	case !ok || int64(owner.Uid) != int64(os.Getuid()):
		return fmt.Errorf("%w: %s belongs to somebody else", ErrUnsafe, dir)
	case info.Mode().Perm()&others != 0:
		return fmt.Errorf("%w: %s has mode %04o, want 0700", ErrUnsafe, dir, info.Mode().Perm())
	}
	return nil
}
