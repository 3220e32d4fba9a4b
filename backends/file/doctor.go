package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Check looks at a lock directory and says what it found that is not as it should be, or could be removed: what that
// means for locks, and how to mend it. It changes nothing, and is made for directories that [New] refuses as well. Names that
// nobody holds or waits for and whose files have not changed for as long as idle count as out of use.
//
// It takes the lock of one table after the other for the few microseconds of a look, so it may run beside any use of the directory. What
// it says may be out of date at once.
//
// The error is that of ctx, a [*backends.InvalidError] for an empty dir or a negative idle, or
// [backends.ErrUnsupported] on an operating system that [New] does not support; the findings made
// until then come with it. Everything else is a finding, a directory that cannot be read too.
func Check(ctx context.Context, dir string, idle time.Duration) ([]backends.Finding, error) {
	e, err := examination(ctx, dir, idle, false)
	return e.left, err
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
	e, err := examination(ctx, dir, idle, true)
	return e.mended, e.left, err
}

// Check looks at the backend's directory, see the function [Check]. It implements [backends.Checker]. A name is out of use after an hour.
func (b *Backend) Check(ctx context.Context) ([]backends.Finding, error) {
	b.made()
	if b.closing.Load() {
		return nil, wrap("check", "", backends.ErrClosed)
	}
	return Check(ctx, b.dir.path, time.Hour)
}

var _ backends.Checker = (*Backend)(nil)

// exam is one Check or Repair on its way.
type exam struct {
	dir    *directory
	idle   time.Duration
	repair bool
	now    time.Time

	inboxes      bool // there is a subdirectory of inboxes
	mended, left []backends.Finding

	idlers []string // stems out of use
	size   int64    // of their files, in bytes
	token  uint64   // the largest of theirs
	wake   []string // names whose tables a client can put right
}

// examination looks at everything, in a fixed order.
func examination(ctx context.Context, path string, idle time.Duration, repair bool) (*exam, error) {
	e := &exam{idle: idle, repair: repair, now: time.Now()}
	if !supported || repair && !repairs {
		return e, fmt.Errorf("file: check %s: %w", path, backends.ErrUnsupported)
	}
	if err := backends.CheckContext(ctx); err != nil {
		return e, wrap("check", "", err)
	}
	switch {
	case path == "":
		return e, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: path, Want: "a path"})
	case idle < 0:
		return e, fmt.Errorf("file: %w", &backends.InvalidError{Field: "idle time", Value: idle, Want: "at least 0"})
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return e, storeError("locate", path, err)
	}
	e.dir = &directory{path: path, fd: -1, inboxes: clientsName}
	if !e.open() {
		return e, nil
	}
	defer e.dir.close()
	if repair {
		if ok, err := tryLock(e.dir.fd, exclusive); !ok { // freed by closing it
			return e, storeError("repair", path, cmp.Or(err, errRepaired))
		}
	}
	e.clients()
	files, err := os.ReadDir(path)
	if err != nil {
		e.note(backends.Failure, "directory", fmt.Sprintf("%s cannot be read: %v", path, err), "nothing can be locked", "mend its mode and owner")
		return e, nil
	}
	foreign := 0
	for _, f := range files {
		if ctx.Err() != nil {
			return e, wrap("check", "", ended(ctx))
		}
		if !e.file(f) {
			foreign++
		}
	}
	if foreign > 0 {
		e.note(backends.Note, "foreign files", fmt.Sprintf("%d files are none of lockkeeper's", foreign), "they are left alone", "")
	}
	return e, e.finish(ctx)
}

var errRepaired = errors.New("somebody else repairs it now")

// note adds what stays as it is.
func (e *exam) note(l backends.Level, topic, what, means, mend string) {
	e.left = append(e.left, backends.Finding{Level: l, Topic: topic, What: what, Means: means, Mend: mend})
}

// mendable adds what mend can put right, and does so in a repair.
func (e *exam) mendable(f backends.Finding, mend func() error) {
	if !e.repair {
		if repairs {
			f.Mend += ", or repair"
		}
		e.left = append(e.left, f)
		return
	}
	if err := mend(); err != nil {
		f.What += fmt.Sprintf(" (the repair failed: %v)", err)
		e.left = append(e.left, f)
		return
	}
	e.mended = append(e.mended, f)
}

// open opens the directory and looks whether [New] would accept it. False: there is nothing more to see.
func (e *exam) open() bool {
	d := e.dir
	if _, err := os.Stat(d.path); errors.Is(err, fs.ErrNotExist) {
		e.noteAbsent()
		return false
	}
	fd, err := openDirectory(d.path)
	if err != nil {
		e.note(backends.Failure, "directory", fmt.Sprintf("%s cannot be opened: %v", d.path, err), "nothing can be locked", "use a directory of this user of mode 0700")
		return false
	}
	d.fd = fd
	id, owner, mode, err := examine(fd)
	if err != nil {
		e.note(backends.Failure, "directory", err.Error(), "nothing can be locked", "")
		return false
	}
	d.id = id
	const others = 0o022
	if !trusted(owner) {
		e.note(backends.Failure, "directory", fmt.Sprintf("%s belongs to user %d", d.path, owner),
			"it is refused: its owner could remove or replace locks", "use a directory of this user")
		return false
	}
	if mode&others != 0 {
		e.mendable(backends.Finding{
			Level: backends.Failure, Topic: "directory", What: fmt.Sprintf("others may write to %s (mode %04o)", d.path, mode&0o7777),
			Means: "it is refused: they could remove or replace locks", Mend: "chmod 0700",
		}, func() error { return os.Chmod(d.path, 0o700) }) //nolint:gosec // a directory
	}
	if err := writable(d.path); err != nil {
		e.note(backends.Failure, "directory", fmt.Sprintf("no files can be made in %s: %v", d.path, err), "nothing can be locked",
			"make the directory writable for its owner, on a file system that is not read-only, or use another directory")
	}
	if name := remote(fd); name != "" {
		e.note(backends.Failure, "file system", d.path+" is on "+name,
			"it is refused: locks and FIFOs may hold on this machine only", "use a local directory, or the Redis store for several machines")
	}
	return true
}

// noteAbsent reports a directory that does not exist, and whether it can be made.
func (e *exam) noteAbsent() {
	above := e.dir.path
	for { // the root exists
		if _, err := os.Stat(above); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if to, err := os.Readlink(above); err == nil {
			e.note(backends.Failure, "directory", fmt.Sprintf("%s is a link to %s, which does not exist", above, to),
				"nothing can be locked", "make that directory, or remove the link")
			return
		}
		above = filepath.Dir(above)
	}
	if err := writable(above); err != nil {
		e.note(backends.Failure, "directory", fmt.Sprintf("%s does not exist, and cannot be made in %s: %v", e.dir.path, above, err),
			"nothing can be locked", "make it, or use another directory")
		return
	}
	e.note(backends.Note, "directory", e.dir.path+" does not exist", "nobody has used it yet; the first use makes it", "")
}

// clients looks at the inboxes.
func (e *exam) clients() {
	path := filepath.Join(e.dir.path, clientsName)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return // nobody has used it yet; or its removal has been noticed
	}
	e.inboxes = true // where they cannot be opened, nobody is known to have ended
	if err == nil && !info.IsDir() {
		err = errors.New("not a directory")
	}
	if err == nil {
		err = e.dir.makeInboxes()
	}
	if err == nil && writable(e.dir.path) == nil { // else it has been said of the directory
		err = writable(path)
	}
	if err != nil {
		e.note(backends.Failure, "inboxes", fmt.Sprintf("%s is no usable directory: %v", path, err), "nothing can be locked",
			"chmod 0700, or remove it, if this directory is your own")
		return
	}
	inboxes, _ := os.ReadDir(path)
	var dead []uint64
	foreign := 0
	for _, f := range inboxes {
		client, ok := clientOf(f.Name())
		info, err := f.Info()
		switch {
		case err != nil: // gone meanwhile
		case !ok || info.Mode().Type() != inboxType:
			foreign++
		case e.now.Sub(info.ModTime()) > youngInbox && e.dir.dead(client):
			dead = append(dead, client)
		}
	}
	if foreign > 0 {
		e.note(backends.Note, "foreign files", fmt.Sprintf("%d files in %s are none of lockkeeper's", foreign, clientsName), "they are left alone", "")
	}
	if len(dead) > 0 {
		e.mendable(backends.Finding{
			Level: backends.Note, Topic: "inboxes", What: fmt.Sprintf("%d processes have ended without closing", len(dead)),
			Means: "nothing: what they held is free", Mend: "each new process removes some",
		}, func() error {
			for _, client := range dead {
				e.dir.removeInbox(client)
			}
			return nil
		})
	}
}

// finish puts right what takes a client, and removes what is out of use.
func (e *exam) finish(ctx context.Context) error {
	slices.Sort(e.wake)
	if e.repair && len(e.wake) > 0 {
		if err := e.lookAt(ctx, slices.Compact(e.wake)); err != nil {
			return err
		}
	}
	if len(e.idlers) == 0 {
		return nil
	}
	f := backends.Finding{
		Level: backends.Note, Topic: "names out of use",
		What:  fmt.Sprintf("%d names have not been used for %v; their files take %d bytes", len(e.idlers), e.idle, e.size),
		Means: "nothing: the files keep the tokens increasing", Mend: "leave them",
	}
	if !e.repair {
		e.mendable(f, nil)
		return nil
	}
	removed, err := e.removeIdlers(ctx)
	f.What = fmt.Sprintf("the files of %d of %d names out of use for %v were removed", removed, len(e.idlers), e.idle)
	if removed > 0 {
		e.mended = append(e.mended, f)
	}
	if err != nil && ctx.Err() == nil {
		f.What += fmt.Sprintf("; then: %v", err)
		e.left = append(e.left, f)
		err = nil
	}
	return err
}

// lookAt has a client look at names: that cleans their tables.
func (e *exam) lookAt(ctx context.Context, names []string) error {
	b, err := New(e.dir.path)
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
