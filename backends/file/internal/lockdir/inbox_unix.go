//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package lockdir

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A client's inbox is a FIFO that it keeps open for reading as long as it lives. Opening it for writing tells whether the
// client is alive (ENXIO: nobody reads), writing to it wakes the client, and a writer that stays learns from the
// kernel when the last reader has gone, however it went.

// InboxType is what an inbox looks like in a listing.
const InboxType = fs.ModeNamedPipe

const inboxFlags = unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NOCTTY

// CreateInbox makes the inbox of a new client and opens it. It opens for reading and writing: with a writer of its own, a
// reader never sees an end of file.
func (d *Dir) CreateInbox(client uint64) (io.ReadCloser, FileID, error) {
	name := d.InboxOf(client)
	path := d.Path + "/" + name
	var err error
	for range 8 { // the inbox or its directory may be removed between the steps
		if err = unix.Mkfifo(path, 0o600); errors.Is(err, unix.ENOENT) {
			if err = d.MakeInboxes(); err == nil {
				err = unix.Mkfifo(path, 0o600)
			}
		}
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, FileID{}, &os.PathError{Op: "mkfifo", Path: path, Err: err}
		}
		_ = os.Chmod(path, 0o600) // whatever the umask has left; if it fails, opening fails
		var fd int
		err = Retry(func() error { fd, err = unix.Openat(d.FD, name, unix.O_RDWR|inboxFlags, 0); return err })
		if errors.Is(err, unix.ENOENT) || d.freedDescriptors(err) {
			continue
		}
		if err != nil {
			return nil, FileID{}, &os.PathError{Op: "open", Path: path, Err: err}
		}
		f := os.NewFile(uintptr(fd), path)
		id, notOurs := d.isInbox(fd, name)
		if notOurs == nil {
			return f, id, nil
		}
		err = notOurs
		_ = f.Close()
	}
	return nil, FileID{}, &os.PathError{Op: "create", Path: path, Err: err}
}

func (d *Dir) isInbox(fd int, name string) (FileID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return FileID{}, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return FileID{}, errors.New("not a FIFO")
	}
	now, err := Lookup(d.FD, name)
	if err == nil && now != identity(&st) {
		err = ErrReplaced
	}
	return now, err
}

// RemoveInbox removes the inbox of a client that has ended.
func (d *Dir) RemoveInbox(client uint64) {
	_ = unix.Unlinkat(d.FD, d.InboxOf(client), 0) // if it stays, the next sweep removes it
}

// ErrDead is the error for a client that has ended.
var ErrDead = errors.New("the process has ended")

// openPeer opens another client's inbox for writing. It returns errDead if that client has ended. A dead client
// never comes back: nobody uses its number again.
func (d *Dir) openPeer(client uint64) (fd int, err error) {
	name := d.InboxOf(client)
	for range 2 {
		err = Retry(func() error { fd, err = unix.Openat(d.FD, name, unix.O_WRONLY|inboxFlags, 0); return err })
		if err == nil || !d.freedDescriptors(err) {
			break
		}
	}
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENOENT):
		return -1, ErrDead
	default:
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
}

// Dead reports whether the client has certainly ended.
func (d *Dir) Dead(client uint64) bool {
	fd, err := d.openPeer(client)
	if err == nil {
		CloseFile(fd)
	}
	return errors.Is(err, ErrDead)
}

// Wake tells a client to look at a table. It never waits. A full inbox needs no further message: a client that finds
// much mail looks at everything it waits for. It reports false if the client has ended. If no descriptor is left the
// message is not sent, and the client finds out when it next looks by itself.
func (d *Dir) Wake(client uint64, stem string) bool {
	fd, err := d.openPeer(client)
	if err != nil {
		return !errors.Is(err, ErrDead)
	}
	defer CloseFile(fd)
	var line [longestStem + 2]byte
	msg := append(append(append(line[:0], '\n'), stem...), '\n') // the first ends what another program has begun
	err = Retry(func() error { _, err := unix.Write(fd, msg); return err })
	return !errors.Is(err, unix.EPIPE)
}

// OpenWatch opens a client's inbox to wait for its end.
func (d *Dir) OpenWatch(client uint64) (*os.File, error) {
	fd, err := d.openPeer(client)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), InboxName(client)), nil
}

// AwaitEnd returns when nobody reads the FIFO any more, or f was closed. It costs a goroutine that the runtime's
// poller wakes, no thread.
func AwaitEnd(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Write(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(p, 0)
		return err == nil && p[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	})
}
