package file

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/doctor"
)

// Check looks at a lock directory and returns what is wrong with it, and what could be removed: what
// each finding means for locks, and how to mend it. It changes nothing, and works for directories
// that [New] refuses, too. A name is out of use if nobody holds it or waits for it, and its files
// have not changed for the time idle.
//
// It takes the lock of one table after the other for the few microseconds of a look, so it may run beside any use of the directory. What
// it says may be out of date at once.
//
// The error is that of ctx, a [*backends.InvalidError] for an empty dir or a negative idle, or
// [backends.ErrUnsupported] on an operating system that [New] does not support; the findings made
// until then come with it. Everything else is a finding, a directory that cannot be read too.
func Check(ctx context.Context, dir string, idle time.Duration) ([]backends.Finding, error) {
	return doctor.Check(ctx, dir, idle)
}

// Repair is Check, and mends what can be mended without harm to anybody who uses the directory now: modes, dead lines of
// tables, damaged tables, tables of other names, inboxes of processes that have ended, files of names out of use. It returns what it
// has mended and what is left. What it cannot know to be ours it leaves alone. On Windows it fails with [backends.ErrUnsupported].
//
// Removing the files of a name keeps its promises: the name's tokens go on increasing, and whoever has the files open notices at the next
// use. A lock file stays where anybody else has it open, and on systems other than Linux, where that cannot be seen.
// One race is left: a program that opens the lock file by other means than this package (flock(1)) in the microseconds
// in which it is removed locks a file without a name. Choose idle long enough that nobody comes just then, an hour say.
func Repair(ctx context.Context, dir string, idle time.Duration) (mended, left []backends.Finding, err error) {
	return doctor.Repair(ctx, dir, idle, lookAt)
}

// Check looks at the backend's directory, see the function [Check]. It implements [backends.Checker]. A name is out of use after an hour.
func (b *Backend) Check(ctx context.Context) ([]backends.Finding, error) {
	b.made()
	if b.closing.Load() {
		return nil, wrap("check", "", backends.ErrClosed)
	}
	return Check(ctx, b.dir.Path, time.Hour)
}

var _ backends.Checker = (*Backend)(nil)

// lookAt has a client look at names of a directory, which cleans their tables.
func lookAt(ctx context.Context, dir string, names []string) error {
	b, err := New(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err = b.Inspect(ctx, name); err != nil {
			break
		}
	}
	return errors.Join(err, b.Close(ctx))
}
