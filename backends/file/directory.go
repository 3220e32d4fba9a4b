package file

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

const clientsName = ".clients" // no stem begins with a dot

// youngInbox is how old an inbox that nobody reads must be to be a dead client's: its client may be about to open it.
const youngInbox = 10 * time.Second

func inboxName(client uint64) string { return string(appendHex(nil, client, 16)) }

// clientOf is the reverse of inboxName. False: no client's inbox is called that.
func clientOf(name string) (client uint64, ok bool) {
	client, err := strconv.ParseUint(name, 16, 64)
	return client, err == nil && inboxName(client) == name
}

// directory is an open lock directory. Everything is opened relative to its descriptors, so it is always one
// directory, whatever its path leads to later.
type directory struct {
	path      string // absolute
	fd        int
	id        fileID
	inboxes   string // the subdirectory of inboxes: clientsName, but for tests
	tells     teller // of renamed files: see changeTime
	closeIdle func() // closes files that are open only for later use; nil if there are none
}

// openStore opens the lock directory, which it creates if it is missing, and refuses one that cannot be trusted.
func openStore(path string, anyFileSystem bool) (*directory, error) {
	if !supported {
		return nil, fmt.Errorf("file: %w: no file locks on this operating system", backends.ErrUnsupported)
	}
	fd, err := openDirectory(path)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: path, Want: "a directory; something else is there or above it"})
	case err != nil:
		return nil, storeError("open", path, err)
	}
	d := &directory{path: path, fd: fd, inboxes: clientsName, tells: tellerOf(fd)}
	if err := d.check(anyFileSystem); err != nil {
		d.close()
		return nil, err
	}
	if err := d.makeInboxes(); err != nil {
		d.close()
		return nil, storeError("open", path+"/"+clientsName, err)
	}
	return d, nil
}

// makeInboxes makes the subdirectory of inboxes if it is missing, and checks that it is a
// directory. It does not stay open: if it is removed and made again, all clients go on with the new
// one.
func (d *directory) makeInboxes() error {
	fd, err := openSubdirectory(d.fd, d.inboxes)
	if err == nil {
		closeFile(fd)
	}
	return err
}

// open is openRegular that closes idle files if the process has no descriptor left.
func (d *directory) open(name string, create bool) (fd int, id fileID, err error) {
	fd, id, err = openRegular(d.fd, name, create)
	if err != nil && d.freedDescriptors(err) {
		fd, id, err = openRegular(d.fd, name, create)
	}
	return fd, id, err
}

// freedDescriptors closes idle files if err says that no descriptor is left, and reports whether
// the caller should try again.
func (d *directory) freedDescriptors(err error) bool {
	if d.closeIdle == nil || !exhausted(err) {
		return false
	}
	d.closeIdle()
	return true
}

func (d *directory) check(anyFileSystem bool) error {
	id, owner, mode, err := examine(d.fd)
	if err != nil {
		return storeError("examine", d.path, err)
	}
	d.id = id
	const others = 0o022
	switch {
	case mode&others != 0:
		return fmt.Errorf("file: %w: others may write to %s (mode %04o, sticky or not): they could remove or replace locks; use a directory of mode 0700",
			backends.ErrPermission, d.path, mode&0o7777)
	case !trusted(owner):
		return fmt.Errorf("file: %w: %s belongs to user %d, who could remove or replace locks", backends.ErrPermission, d.path, owner)
	case anyFileSystem:
		return nil
	}
	if name := remote(d.fd); name != "" {
		return fmt.Errorf("file: %w: %s is on %s, where locks may hold on this machine only", backends.ErrUnsupported, d.path, name)
	}
	return nil
}

// intact returns an error unless the path still leads to this directory.
func (d *directory) intact() error {
	id, err := pathID(d.path)
	if err == nil && id != d.id {
		err = &fs.PathError{Op: "stat", Path: d.path, Err: errReplaced}
	}
	return err
}

var (
	errReplaced   = errors.New("removed or replaced")
	errNotRegular = errors.New("not a regular file")
	errLinked     = errors.New("a file with other names (hard links), which would be the same lock")
)

// holds returns an error unless the directory has this very file under that name.
func (d *directory) holds(name string, id fileID) error {
	now, err := lookup(d.fd, name)
	if err == nil && now != id {
		err = &fs.PathError{Op: "stat", Path: name, Err: errReplaced}
	}
	return err
}

// teller is what bears the time of the last change to a file's name.
type teller int

const (
	nothing   teller = iota // that is to be relied on
	theFile                 // its inode
	itsParent               // the inode of the directory, which bears those of all the others in it as well
)

// changeTime returns a time that does not stay the same when an open file of this directory is renamed, replaced or removed; zero,
// where there is none. Whole seconds are none: what counts in them may come to the same one twice if the clock is set back.
func (d *directory) changeTime(fd int) time.Time {
	var t time.Time
	switch d.tells {
	case theFile:
		t = inodeChange(fd)
	case itsParent:
		t = inodeChange(d.fd)
	}
	if t.Nanosecond() == 0 {
		return time.Time{}
	}
	return t
}

func (d *directory) close() { closeFile(d.fd) }

// inboxOf returns the path of a client's inbox, relative to the directory.
func (d *directory) inboxOf(client uint64) string { return d.inboxes + "/" + inboxName(client) }

// sweepClients removes inboxes that dead clients have left, a few at a time. A young one may be about to be opened.
func (d *directory) sweepClients() {
	const most = 32
	path := filepath.Join(d.path, clientsName)
	dir, err := os.Open(path)
	if err != nil {
		return // housekeeping; whatever is wrong will be said by what needs the directory
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(most)
	for _, name := range names {
		if client, ok := clientOf(name); ok && d.dead(client) {
			d.sweepInbox(client)
		}
	}
}

// sweepInbox removes the inbox of a client that was found dead, unless it is young: a live client
// whose inbox was removed may have just made it.
func (d *directory) sweepInbox(client uint64) {
	info, err := os.Lstat(filepath.Join(d.path, d.inboxOf(client)))
	if err == nil && time.Since(info.ModTime()) > youngInbox {
		d.removeInbox(client)
	}
}
