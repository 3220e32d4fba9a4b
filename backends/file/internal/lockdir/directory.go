package lockdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// ClientsName is the subdirectory of inboxes: no stem begins with a dot.
const ClientsName = ".clients"

// YoungInbox is how old an inbox that nobody reads must be to be a dead client's: its client may be about to open it.
const YoungInbox = 10 * time.Second

// InboxName returns the name of a client's inbox among the inboxes.
func InboxName(client uint64) string { return string(appendHex(nil, client, 16)) }

// ClientOf is the reverse of inboxName. False: no client's inbox is called that.
func ClientOf(name string) (client uint64, ok bool) {
	client, err := strconv.ParseUint(name, 16, 64)
	return client, err == nil && InboxName(client) == name
}

// Dir is an open lock directory. Everything is opened relative to its descriptors, so it is always one
// directory, whatever its path leads to later.
type Dir struct {
	Path      string // absolute
	FD        int
	ID        FileID
	Inboxes   string // the subdirectory of inboxes: clientsName, but for tests
	Tells     Teller // of renamed files: see changeTime
	CloseIdle func() // closes files that are open only for later use; nil if there are none
}

// OpenStore opens the lock directory, which it creates if it is missing, and refuses one that cannot be trusted.
func OpenStore(path string, anyFileSystem bool) (*Dir, error) {
	if !Supported {
		return nil, fmt.Errorf("file: %w: no file locks on this operating system", backends.ErrUnsupported)
	}
	fd, err := OpenDirectory(path)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: path, Want: "a directory; something else is there or above it"})
	case err != nil:
		return nil, StoreError("open", path, err)
	}
	d := &Dir{Path: path, FD: fd, Inboxes: ClientsName, Tells: tellerOf(fd)}
	if err := d.check(anyFileSystem); err != nil {
		d.Close()
		return nil, err
	}
	if err := d.MakeInboxes(); err != nil {
		d.Close()
		return nil, StoreError("open", path+"/"+ClientsName, err)
	}
	return d, nil
}

// MakeInboxes makes the subdirectory of inboxes if it is missing, and checks that it is a
// directory. It does not stay open: if it is removed and made again, all clients go on with the new
// one.
func (d *Dir) MakeInboxes() error {
	fd, err := openSubdirectory(d.FD, d.Inboxes)
	if err == nil {
		CloseFile(fd)
	}
	return err
}

// Open is openRegular that closes idle files if the process has no descriptor left.
func (d *Dir) Open(name string, create bool) (fd int, id FileID, err error) {
	fd, id, err = OpenRegular(d.FD, name, create)
	if err != nil && d.freedDescriptors(err) {
		fd, id, err = OpenRegular(d.FD, name, create)
	}
	return fd, id, err
}

// freedDescriptors closes idle files if err says that no descriptor is left, and reports whether
// the caller should try again.
func (d *Dir) freedDescriptors(err error) bool {
	if d.CloseIdle == nil || !Exhausted(err) {
		return false
	}
	d.CloseIdle()
	return true
}

func (d *Dir) check(anyFileSystem bool) error {
	id, owner, mode, err := Examine(d.FD)
	if err != nil {
		return StoreError("examine", d.Path, err)
	}
	d.ID = id
	const others = 0o022
	switch {
	case mode&others != 0:
		return fmt.Errorf("file: %w: others may write to %s (mode %04o, sticky or not): they could remove or replace locks; use a directory of mode 0700",
			backends.ErrPermission, d.Path, mode&0o7777)
	case !Trusted(owner):
		return fmt.Errorf("file: %w: %s belongs to user %d, who could remove or replace locks", backends.ErrPermission, d.Path, owner)
	case anyFileSystem:
		return nil
	}
	if name := Remote(d.FD); name != "" {
		return fmt.Errorf("file: %w: %s is on %s, where locks may hold on this machine only", backends.ErrUnsupported, d.Path, name)
	}
	return nil
}

// Intact returns an error unless the path still leads to this directory.
func (d *Dir) Intact() error {
	id, err := pathID(d.Path)
	if err == nil && id != d.ID {
		err = &fs.PathError{Op: "stat", Path: d.Path, Err: ErrReplaced}
	}
	return err
}

// Holds returns an error unless the directory has this very file under that name.
func (d *Dir) Holds(name string, id FileID) error {
	now, err := Lookup(d.FD, name)
	if err == nil && now != id {
		err = &fs.PathError{Op: "stat", Path: name, Err: ErrReplaced}
	}
	return err
}

// Teller is what bears the time of the last change to a file's name.
type Teller int

// The tellers.
const (
	nothing   Teller = iota // that is to be relied on
	TheFile                 // its inode
	ItsParent               // the inode of the directory, which bears those of all the others in it as well
)

// ChangeTime returns a time that does not stay the same when an open file of this directory is renamed, replaced or removed; zero,
// where there is none. Whole seconds are none: what counts in them may come to the same one twice if the clock is set back.
func (d *Dir) ChangeTime(fd int) time.Time {
	var t time.Time
	switch d.Tells {
	case TheFile:
		t = inodeChange(fd)
	case ItsParent:
		t = inodeChange(d.FD)
	}
	if t.Nanosecond() == 0 {
		return time.Time{}
	}
	return t
}

// Close closes the directory.
func (d *Dir) Close() { CloseFile(d.FD) }

// InboxOf returns the path of a client's inbox, relative to the directory.
func (d *Dir) InboxOf(client uint64) string { return d.Inboxes + "/" + InboxName(client) }

// SweepClients removes inboxes that dead clients have left, a few at a time. A young one may be about to be opened.
func (d *Dir) SweepClients() {
	const most = 32
	path := filepath.Join(d.Path, ClientsName)
	dir, err := os.Open(path)
	if err != nil {
		return // housekeeping; whatever is wrong will be said by what needs the directory
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(most)
	for _, name := range names {
		if client, ok := ClientOf(name); ok && d.Dead(client) {
			d.SweepInbox(client)
		}
	}
}

// SweepInbox removes the inbox of a client that was found dead, unless it is young: a live client
// whose inbox was removed may have just made it.
func (d *Dir) SweepInbox(client uint64) {
	info, err := os.Lstat(filepath.Join(d.Path, d.InboxOf(client)))
	if err == nil && time.Since(info.ModTime()) > YoungInbox {
		d.RemoveInbox(client)
	}
}
