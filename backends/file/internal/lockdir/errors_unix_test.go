//go:build unix

package lockdir

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lockkeeper/lockkeeper/backends"
)

// What the contract and the operating system say alike is said once, at whatever depth.
func TestUnusableSaysNothingTwice(t *testing.T) {
	of := func(err error) error { return &fs.PathError{Op: "openat", Path: "a.table", Err: err} }
	for want, cause := range map[string]error{
		"use a.table in /locks: permission denied":                                           unix.EACCES,
		"use a.table in /locks: openat elsewhere: permission denied":                         &fs.PathError{Op: "openat", Path: "elsewhere", Err: unix.EACCES},
		"use a.table in /locks: look: openat a.table: permission denied":                     fmt.Errorf("look: %w", of(unix.EACCES)),
		"use a.table in /locks: permission denied: too many levels of symbolic links":        of(unix.ELOOP),
		"use a.table in /locks: store unavailable: look: openat a.table: input/output error": fmt.Errorf("look: %w", of(unix.EIO)),
	} {
		err := Unusable("use", "a.table in /locks", cause)
		if err.Error() != want {
			t.Errorf("%q; want %q", err, want)
		}
		if errors.Is(err, backends.ErrPermission) == errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("%q wraps both sentinels, or none", err)
		}
	}
}
