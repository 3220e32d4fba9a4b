//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package lockdir

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Why these few calls and not gofrs/flock: a lock here keeps its file open from one use to the next (opening is most of
// the price), needs to know which inode it locked, repeats calls that a signal interrupted (EINTR), unlocks
// without closing, and opens relative to a directory without ever following a link. gofrs/flock does none of these; it
// is the yardstick of the benchmarks and an interlocutor of the tests.

// Supported says that locks work on this system.
const Supported = true

// Repairs says that Repair works on this system.
const Repairs = true

// Modes says that the modes of files and directories tell who may use them.
const Modes = true

const openFlags = unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY

// ByPath stands in place of a directory, for absolute paths.
const ByPath = unix.AT_FDCWD

// FileID tells one file from another, whatever its name.
type FileID struct{ dev, ino uint64 }

// Number tells the files of one file system apart while they are open.
func (f FileID) Number() uint64 { return f.ino }

// Retry repeats a call that a signal interrupted.
func Retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // system calls return bare numbers
			return err
		}
	}
}

// LockMode is what a kernel lock is held for.
type LockMode int

// The modes of a kernel lock.
const (
	Unlocked  LockMode = 0
	Shared    LockMode = unix.LOCK_SH
	Exclusive LockMode = unix.LOCK_EX
)

// TryLock locks the file without waiting, and reports whether it did.
func TryLock(fd int, mode LockMode) (bool, error) {
	for {
		switch err := unix.Flock(fd, int(mode)|unix.LOCK_NB); err {
		case nil:
			return true, nil
		case unix.EWOULDBLOCK:
			return false, nil
		case unix.EINTR:
		default:
			return false, os.NewSyscallError("flock", err)
		}
	}
}

// WaitLock locks the file exclusively. It holds a thread until it succeeds.
func WaitLock(fd int) error {
	return os.NewSyscallError("flock", Retry(func() error { return unix.Flock(fd, unix.LOCK_EX) }))
}

// Unlock frees the kernel lock.
func Unlock(fd int) { _ = unix.Flock(fd, unix.LOCK_UN) } // fails only for what is not an open file

// CloseFile closes a descriptor.
func CloseFile(fd int) { _ = unix.Close(fd) } // nothing is buffered

func readAt(fd int, b []byte, at int64) (int, error) {
	for n := 0; ; {
		m, err := unix.Pread(fd, b[n:], at+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, os.NewSyscallError("pread", err)
		default:
			if n += m; m == 0 || n == len(b) || at+int64(n) < Page {
				return n, nil // within the first page a read is whole
			}
		}
	}
}

// writeAt writes all of b or fails.
func writeAt(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, at)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("pwrite", err)
		default:
			b, at = b[n:], at+int64(n)
		}
	}
	return nil
}

// Truncate sets the size of a file.
func Truncate(fd int, size int64) error {
	return os.NewSyscallError("ftruncate", Retry(func() error { return unix.Ftruncate(fd, size) }))
}

func flush(fd int) error {
	return os.NewSyscallError("fsync", Retry(func() error { return unix.Fsync(fd) }))
}

// flushEntries flushes the names in an open directory: POSIX does not promise it of a file that is flushed.
func flushEntries(dir int) error { return flush(dir) }

// OpenRegular opens a file of the directory, which it creates if create is set. What is there must
// be a regular file: no link is followed, and a FIFO or device never makes it hang. The file must
// have no other name, since two names of one file would be one lock.
func OpenRegular(dir int, name string, create bool) (int, FileID, error) {
	fd, err := openOrCreate(dir, name, create)
	if err != nil {
		return -1, FileID{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		CloseFile(fd)
		return -1, FileID{}, os.NewSyscallError("fstat", err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = errNotRegular
	case st.Nlink > 1:
		err = errLinked
	default:
		return fd, identity(&st), nil
	}
	CloseFile(fd)
	return -1, FileID{}, &os.PathError{Op: "open", Path: name, Err: err}
}

// OpenReadOnly opens a regular file of the directory for reading.
func OpenReadOnly(dir int, name string) (fd int, err error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	err = Retry(func() error { fd, err = unix.Openat(dir, name, flags, 0); return err })
	var st unix.Stat_t
	if err == nil {
		if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
			err = errNotRegular
		}
		if err != nil {
			CloseFile(fd)
		}
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// openOrCreate opens without O_CREAT first: in a sticky directory the kernel may refuse O_CREAT for a file of another
// user although opening it is allowed.
func openOrCreate(dir int, name string, create bool) (fd int, err error) {
	const attempts = 16 // somebody would have to create and remove the file that often in between
	for range attempts {
		err = Retry(func() error { fd, err = unix.Openat(dir, name, openFlags, 0); return err })
		if err == nil || !create || !errors.Is(err, unix.ENOENT) {
			break
		}
		err = Retry(func() error {
			fd, err = unix.Openat(dir, name, openFlags|unix.O_CREAT|unix.O_EXCL, 0o600)
			return err
		})
		if err == nil {
			if err = unix.Fchmod(fd, 0o600); err != nil { // whatever the umask has left of it
				CloseFile(fd)
			}
			break
		}
		if !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// renameAt gives a file of the directory another name there, in place of what may have had it.
func renameAt(dir int, from, to string) error {
	return os.NewSyscallError("rename", unix.Renameat(dir, from, dir, to))
}

// UnlinkAt removes a file of the directory.
func UnlinkAt(dir int, name string) error {
	return os.NewSyscallError("unlink", unix.Unlinkat(dir, name, 0))
}

// SizeAndTime returns the size of an open file and when it was last written to.
func SizeAndTime(fd int) (size int64, modified time.Time, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, time.Time{}, os.NewSyscallError("fstat", err)
	}
	return st.Size, time.Unix(st.Mtim.Unix()), nil
}

// OwnerOf tells whose file it is.
func OwnerOf(info os.FileInfo) uint32 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Uid
}

// LinksOf returns how many names a file has.
func LinksOf(info os.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(st.Nlink) //nolint:unconvert // its type differs between systems
}

func identity(st *unix.Stat_t) FileID {
	return FileID{dev: uint64(st.Dev), ino: uint64(st.Ino)} //nolint:unconvert // types differ between systems
}

// Lookup returns what the directory has under a name.
func Lookup(dir int, name string) (FileID, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return FileID{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return identity(&st), nil
}

// Refused reports whether an error of the file system means that permission is missing, or that what is there must not be used.
func Refused(err error) bool {
	for _, e := range [...]error{unix.EACCES, unix.EPERM, unix.ELOOP, unix.EMLINK, unix.EISDIR, unix.ENXIO, unix.ENOTDIR, errNotRegular, errLinked} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Exhausted reports whether an error says that no descriptor is left.
func Exhausted(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// Writable returns an error if this process may not make files in a directory.
func Writable(path string) error {
	err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	return os.NewSyscallError("access", err)
}

// OpenDirectory creates the directory if it is missing, and opens it.
func OpenDirectory(path string) (fd int, err error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return -1, err
		}
		_ = os.Chmod(path, 0o700) //nolint:gosec // a directory; whatever the umask has left; if it fails, opening fails
	}
	return openDirAt(unix.AT_FDCWD, path, 0)
}

func openDirAt(dir int, name string, extra int) (fd int, err error) {
	err = Retry(func() error {
		fd, err = unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|extra, 0)
		return err
	})
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

// openSubdirectory creates and opens a directory in dir, of mode 0700 whatever the umask.
func openSubdirectory(dir int, name string) (int, error) {
	err := unix.Mkdirat(dir, name, 0o700)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	if err == nil {
		_ = unix.Fchmodat(dir, name, 0o700, 0) // whatever the umask has left; if it fails, opening fails
	}
	return openDirAt(dir, name, unix.O_NOFOLLOW)
}

// Examine says who owns an open directory and what others may do there.
func Examine(fd int) (id FileID, owner uint32, mode uint32, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return FileID{}, 0, 0, os.NewSyscallError("fstat", err)
	}
	return identity(&st), st.Uid, uint32(st.Mode), nil //nolint:unconvert // its type differs between systems
}

// pathID returns which directory a path leads to now.
func pathID(path string) (FileID, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return FileID{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return identity(&st), nil
}

// Trusted reports whether a directory of that owner is safe to use: ours, or the superuser's.
func Trusted(owner uint32) bool { return owner == 0 || int64(owner) == int64(os.Geteuid()) }
