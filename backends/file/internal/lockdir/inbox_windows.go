package lockdir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// A client's inbox is a file that it keeps locked as long as it lives: whoever can lock it knows that the client has ended. Beside it
// the client has an event of the kernel, by which others wake it. An event carries no text, so whoever is woken looks at
// everything; and it does not tell of the client's end, so others look whether it lives, a few times a second while they wait for it.

// InboxType is what an inbox looks like in a listing.
const InboxType = fs.FileMode(0)

// inbox is the client's own. Reading from it takes a thread. The reader closes the events, which nobody touches after quit was set.
type inbox struct {
	file       windows.Handle // locked
	quit, bell windows.Handle
}

// CreateInbox makes the inbox of a new client. Somebody must read from it until it is closed.
func (d *Dir) CreateInbox(client uint64) (io.ReadCloser, FileID, error) {
	h, err := openAs(d.FD, d.InboxOf(client), windows.GENERIC_READ|windows.GENERIC_WRITE,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, windows.CREATE_NEW, windows.FILE_FLAG_OPEN_REPARSE_POINT)
	if err != nil {
		return nil, FileID{}, err
	}
	err = WaitLock(int(h)) // somebody may be looking whether we live
	info, err2 := describe(h)
	quit, err3 := windows.CreateEvent(nil, 0, 0, nil)
	bell, err4 := windows.CreateEvent(nil, 0, 0, bellName(client))
	if err := errors.Join(err, err2, err3, err4); err != nil {
		for _, open := range [...]windows.Handle{h, quit, bell} {
			CloseFile(int(open)) // nothing happens if there is none
		}
		d.RemoveInbox(client)
		return nil, FileID{}, err
	}
	return &inbox{file: h, quit: quit, bell: bell}, identity(&info), nil
}

// bellName is the name of a client's event. Global: processes of one user may be in different sessions.
func bellName(client uint64) *uint16 {
	name, err := windows.UTF16PtrFromString(`Global\lockkeeper-` + InboxName(client))
	if err != nil {
		panic("bug: " + err.Error())
	}
	return name
}

// Read waits until somebody rings, and returns as much as fits, which means to look at everything.
func (i *inbox) Read(b []byte) (int, error) {
	which, err := windows.WaitForMultipleObjects([]windows.Handle{i.quit, i.bell}, false, windows.INFINITE)
	switch {
	case err != nil:
		return 0, os.NewSyscallError("WaitForMultipleObjects", err)
	case which == windows.WAIT_OBJECT_0:
		CloseFile(int(i.quit))
		CloseFile(int(i.bell))
		return 0, fs.ErrClosed
	}
	return len(b), nil
}

// Close unlocks the file and ends the reader.
func (i *inbox) Close() error {
	CloseFile(int(i.file))
	return os.NewSyscallError("SetEvent", windows.SetEvent(i.quit))
}

// RemoveInbox removes the inbox of a client that has ended.
func (d *Dir) RemoveInbox(client uint64) {
	_ = os.Remove(filepath.Join(d.Path, ClientsName, InboxName(client))) // if it stays, a sweep removes it
}

// ErrDead is the error for a client that has ended.
var ErrDead = errors.New("the process has ended")

// Dead reports whether the client has certainly ended. Its lock is tried in shared mode, so that two who try at once do not
// take each other for the client.
func (d *Dir) Dead(client uint64) bool {
	h, err := openAs(d.FD, d.InboxOf(client), windows.GENERIC_READ, shareAll, windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer CloseFile(int(h))
	ok, err := TryLock(int(h), Shared)
	return ok && err == nil
}

// Wake tells a client to look at its tables. It never waits. It reports false if the client has ended.
func (d *Dir) Wake(client uint64, _ string) bool {
	h, err := windows.OpenEvent(windows.EVENT_MODIFY_STATE, false, bellName(client))
	if err != nil {
		return !d.Dead(client)
	}
	defer CloseFile(int(h))
	_ = windows.SetEvent(h) // if it fails, the client looks by itself
	return true
}

// OpenWatch fails: see resource.buryWatched.
func (d *Dir) OpenWatch(client uint64) (*os.File, error) {
	if d.Dead(client) {
		return nil, ErrDead
	}
	return nil, errors.ErrUnsupported
}

// AwaitEnd is never called: there is no watch.
func AwaitEnd(*os.File) {}
