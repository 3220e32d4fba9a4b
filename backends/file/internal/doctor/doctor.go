// Package doctor finds what is wrong with a lock directory, and mends it: Check and Repair of package
// file.
package doctor

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
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// Check looks at a directory. It changes nothing.
func Check(ctx context.Context, dir string, idle time.Duration) ([]backends.Finding, error) {
	e, err := examination(ctx, dir, idle, nil)
	return e.left, err
}

// Repair is Check, and mends what it can. Look has a client look at names of the directory, which
// cleans their tables.
func Repair(ctx context.Context, dir string, idle time.Duration, look Look) (mended, left []backends.Finding, err error) {
	e, err := examination(ctx, dir, idle, look)
	return e.mended, e.left, err
}

// Look has a client look at names of a directory.
type Look func(ctx context.Context, dir string, names []string) error

// exam is one Check or Repair on its way.
type exam struct {
	dir    *lockdir.Dir
	idle   time.Duration
	repair bool
	look   Look
	now    time.Time

	inboxes      bool // there is a subdirectory of inboxes
	mended, left []backends.Finding

	idlers []string // stems out of use
	size   int64    // of their files, in bytes
	token  uint64   // the largest of theirs
	wake   []string // names whose tables a client can put right
}

// examination looks at everything, in a fixed order.
func examination(ctx context.Context, path string, idle time.Duration, look Look) (*exam, error) {
	repair := look != nil
	e := &exam{idle: idle, repair: repair, look: look, now: time.Now()}
	if !lockdir.Supported || repair && !lockdir.Repairs {
		return e, fmt.Errorf("file: check %s: %w", path, backends.ErrUnsupported)
	}
	if err := backends.CheckContext(ctx); err != nil {
		return e, failed("check", err)
	}
	switch {
	case path == "":
		return e, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: path, Want: "a path"})
	case idle < 0:
		return e, fmt.Errorf("file: %w", &backends.InvalidError{Field: "idle time", Value: idle, Want: "at least 0"})
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return e, lockdir.StoreError("locate", path, err)
	}
	e.dir = &lockdir.Dir{Path: path, FD: -1, Inboxes: lockdir.ClientsName}
	if !e.open() {
		return e, nil
	}
	defer e.dir.Close()
	if repair {
		if ok, err := lockdir.TryLock(e.dir.FD, lockdir.Exclusive); !ok { // freed by closing it
			return e, lockdir.StoreError("repair", path, cmp.Or(err, errRepaired))
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
			return e, failed("check", backends.Ended(ctx))
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

func failed(verb string, err error) error {
	return &backends.OpError{Store: "file", Op: verb, Err: err}
}

// note adds what stays as it is.
func (e *exam) note(l backends.Level, topic, what, means, mend string) {
	e.left = append(e.left, backends.Finding{Level: l, Topic: topic, What: what, Means: means, Mend: mend})
}

// mendable adds what mend can put right, and does so in a repair.
func (e *exam) mendable(f backends.Finding, mend func() error) {
	if !e.repair {
		if lockdir.Repairs {
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
	if _, err := os.Stat(d.Path); errors.Is(err, fs.ErrNotExist) {
		e.noteAbsent()
		return false
	}
	fd, err := lockdir.OpenDirectory(d.Path)
	if err != nil {
		e.note(backends.Failure, "directory", fmt.Sprintf("%s cannot be opened: %v", d.Path, err), "nothing can be locked", "use a directory of this user of mode 0700")
		return false
	}
	d.FD = fd
	id, owner, mode, err := lockdir.Examine(fd)
	if err != nil {
		e.note(backends.Failure, "directory", err.Error(), "nothing can be locked", "")
		return false
	}
	d.ID = id
	const others = 0o022
	if !lockdir.Trusted(owner) {
		e.note(backends.Failure, "directory", fmt.Sprintf("%s belongs to user %d", d.Path, owner),
			"it is refused: its owner could remove or replace locks", "use a directory of this user")
		return false
	}
	if mode&others != 0 {
		e.mendable(backends.Finding{
			Level: backends.Failure, Topic: "directory", What: fmt.Sprintf("others may write to %s (mode %04o)", d.Path, mode&0o7777),
			Means: "it is refused: they could remove or replace locks", Mend: "chmod 0700",
		}, func() error { return os.Chmod(d.Path, 0o700) }) //nolint:gosec // a directory
	}
	if err := lockdir.Writable(d.Path); err != nil {
		e.note(backends.Failure, "directory", fmt.Sprintf("no files can be made in %s: %v", d.Path, err), "nothing can be locked",
			"make the directory writable for its owner, on a file system that is not read-only, or use another directory")
	}
	if name := lockdir.Remote(fd); name != "" {
		e.note(backends.Failure, "file system", d.Path+" is on "+name,
			"it is refused: locks and FIFOs may hold on this machine only", "use a local directory, or the Redis store for several machines")
	}
	return true
}

// noteAbsent reports a directory that does not exist, and whether it can be made.
func (e *exam) noteAbsent() {
	above := e.dir.Path
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
	if err := lockdir.Writable(above); err != nil {
		e.note(backends.Failure, "directory", fmt.Sprintf("%s does not exist, and cannot be made in %s: %v", e.dir.Path, above, err),
			"nothing can be locked", "make it, or use another directory")
		return
	}
	e.note(backends.Note, "directory", e.dir.Path+" does not exist", "nobody has used it yet; the first use makes it", "")
}

// clients looks at the inboxes.
func (e *exam) clients() {
	path := filepath.Join(e.dir.Path, lockdir.ClientsName)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return // nobody has used it yet; or its removal has been noticed
	}
	e.inboxes = true // where they cannot be opened, nobody is known to have ended
	if err == nil && !info.IsDir() {
		err = errors.New("not a directory")
	}
	if err == nil {
		err = e.dir.MakeInboxes()
	}
	if err == nil && lockdir.Writable(e.dir.Path) == nil { // else it has been said of the directory
		err = lockdir.Writable(path)
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
		client, ok := lockdir.ClientOf(f.Name())
		info, err := f.Info()
		switch {
		case err != nil: // gone meanwhile
		case !ok || info.Mode().Type() != lockdir.InboxType:
			foreign++
		case e.now.Sub(info.ModTime()) > lockdir.YoungInbox && e.dir.Dead(client):
			dead = append(dead, client)
		}
	}
	if foreign > 0 {
		e.note(backends.Note, "foreign files", fmt.Sprintf("%d files in %s are none of lockkeeper's", foreign, lockdir.ClientsName), "they are left alone", "")
	}
	if len(dead) > 0 {
		e.mendable(backends.Finding{
			Level: backends.Note, Topic: "inboxes", What: fmt.Sprintf("%d processes have ended without closing", len(dead)),
			Means: "nothing: what they held is free", Mend: "each new process removes some",
		}, func() error {
			for _, client := range dead {
				e.dir.RemoveInbox(client)
			}
			return nil
		})
	}
}

// finish puts right what takes a client, and removes what is out of use.
func (e *exam) finish(ctx context.Context) error {
	slices.Sort(e.wake)
	if e.repair && len(e.wake) > 0 {
		if err := e.look(ctx, e.dir.Path, slices.Compact(e.wake)); err != nil {
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

// removeIdlers removes the files of the names that were found out of use, and returns of how many.
func (e *exam) removeIdlers(ctx context.Context) (removed int, err error) {
	if err := e.dir.RaiseFloor(e.token); err != nil { // once for all: it goes to the disk
		return 0, err
	}
	unused := func(t *lockdir.Table) bool {
		t.EndKept(lockdir.Now())
		for _, client := range t.Clients(0) {
			if !e.inboxes || e.dir.Dead(client) {
				t.DropClient(client)
			}
		}
		return !t.Used()
	}
	for _, s := range e.idlers {
		if ctx.Err() != nil {
			return removed, failed("repair", backends.Ended(ctx))
		}
		ok, err := e.dir.RemoveName(s, e.token, unused)
		if err != nil {
			return removed, err
		}
		if ok {
			removed++
		}
	}
	return removed, nil
}
