package lockdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// Why these few calls and not gofrs/flock: see sys_unix.go. The lock is on the same byte as its, so each excludes the other.
//
// A descriptor is a handle here. Files are opened without FILE_SHARE_DELETE: as long as anybody has one open, nobody can remove it
// or give it, or a directory above it, another name. So a path built from an open directory leads to nothing else.

// Supported says that locks work on this system.
const Supported = true

// Repairs is false: to remove a file that others may be about to open takes what only POSIX promises.
const Repairs = false

// Modes is false: who may use a directory is in its access list, which the files inherit.
const Modes = false

const ByPath = -1 // in place of a directory, for absolute paths

const shareAll = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// FileID tells one file from another, whatever its name.
type FileID struct {
	volume uint32
	index  uint64
}

// Number tells the files of one file system apart while they are open.
func (f FileID) Number() uint64 { return f.index }

// LockMode is what a kernel lock is held for.
type LockMode int

// The modes of a kernel lock.
const (
	Unlocked  LockMode = 0
	Shared    LockMode = 1
	Exclusive LockMode = 2
)

func (m LockMode) flags() uint32 {
	if m == Exclusive {
		return windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	return 0
}

// The lock is on the first byte, whether there is one or not. While it is exclusive, other handles cannot read that byte: see
// directory.readUnlocked.
const lockLength = 1

// TryLock locks the file without waiting, and reports whether it did.
func TryLock(fd int, mode LockMode) (bool, error) {
	err := windows.LockFileEx(windows.Handle(fd), mode.flags()|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, lockLength, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, os.NewSyscallError("LockFileEx", err)
}

// WaitLock locks the file exclusively. It holds a thread until it succeeds.
func WaitLock(fd int) error {
	return os.NewSyscallError("LockFileEx", windows.LockFileEx(windows.Handle(fd), Exclusive.flags(), 0, lockLength, 0, new(windows.Overlapped)))
}

// Unlock frees the kernel lock.
func Unlock(fd int) { // fails only for what is not locked
	_ = windows.UnlockFileEx(windows.Handle(fd), 0, lockLength, 0, new(windows.Overlapped))
}

// CloseFile closes a descriptor.
func CloseFile(fd int) { _ = windows.CloseHandle(windows.Handle(fd)) } // nothing is buffered

// place is an offset in the form that reads and writes take.
func place(at int64) *windows.Overlapped {
	return &windows.Overlapped{Offset: uint32(at), OffsetHigh: uint32(at >> 32)}
}

func readAt(fd int, b []byte, at int64) (int, error) {
	for n := 0; ; {
		var m uint32
		err := windows.ReadFile(windows.Handle(fd), b[n:], &m, place(at+int64(n)))
		n += int(m)
		switch {
		case errors.Is(err, windows.ERROR_HANDLE_EOF):
			return n, nil
		case err != nil:
			return n, os.NewSyscallError("ReadFile", err)
		case m == 0, n == len(b):
			return n, nil
		}
	}
}

// writeAt writes all of b or fails.
func writeAt(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		var n uint32
		if err := windows.WriteFile(windows.Handle(fd), b, &n, place(at)); err != nil {
			return os.NewSyscallError("WriteFile", err)
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

// Truncate sets the size of a file.
func Truncate(fd int, size int64) error {
	return os.NewSyscallError("SetEndOfFile", windows.Ftruncate(windows.Handle(fd), size))
}

func flush(fd int) error {
	return os.NewSyscallError("FlushFileBuffers", windows.FlushFileBuffers(windows.Handle(fd)))
}

// flushEntries does nothing: NTFS keeps a journal of names, and directories cannot be flushed.
func flushEntries(int) error { return nil }

// openAs opens name in dir. No link is followed unless flags lack FILE_FLAG_OPEN_REPARSE_POINT.
func openAs(dir int, name string, access, share, disposition, flags uint32) (windows.Handle, error) {
	path := filepath.FromSlash(name)
	if dir != ByPath {
		parent, err := pathOf(windows.Handle(dir))
		if err != nil {
			return windows.InvalidHandle, err
		}
		path = parent + `\` + path
	}
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return windows.InvalidHandle, err
	}
	h, err := windows.CreateFile(p, access, share, nil, disposition, flags, 0)
	if err != nil {
		return windows.InvalidHandle, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return h, nil
}

// pathOf returns where an open directory is: its full path with the prefix \\?\.
func pathOf(h windows.Handle) (string, error) {
	buf := make([]uint16, windows.MAX_PATH)
	for {
		n, err := windows.GetFinalPathNameByHandle(h, &buf[0], uint32(len(buf)), 0)
		if err != nil {
			return "", os.NewSyscallError("GetFinalPathNameByHandle", err)
		}
		if int(n) <= len(buf) {
			return windows.UTF16ToString(buf[:n]), nil
		}
		buf = make([]uint16, n)
	}
}

// OpenRegular opens a file of the directory, which it creates if create is set. What is there must be a regular
// file: no link is followed. It must have no other name.
func OpenRegular(dir int, name string, create bool) (int, FileID, error) {
	disposition := uint32(windows.OPEN_EXISTING)
	if create {
		disposition = windows.OPEN_ALWAYS
	}
	h, err := openAs(dir, name, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE,
		disposition, windows.FILE_FLAG_OPEN_REPARSE_POINT)
	if err != nil {
		return -1, FileID{}, err
	}
	info, err := describe(h)
	if err == nil && info.FileAttributes&(windows.FILE_ATTRIBUTE_DIRECTORY|windows.FILE_ATTRIBUTE_REPARSE_POINT) != 0 {
		err = errNotRegular
	}
	if err == nil && info.NumberOfLinks > 1 {
		err = errLinked
	}
	if err != nil {
		CloseFile(int(h))
		return -1, FileID{}, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return int(h), identity(&info), nil
}

// OpenReadOnly opens a regular file of the directory for reading.
func OpenReadOnly(dir int, name string) (int, error) {
	h, err := openAs(dir, name, windows.GENERIC_READ, shareAll, windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT)
	if err != nil {
		return -1, err
	}
	info, err := describe(h)
	if err == nil && info.FileAttributes&(windows.FILE_ATTRIBUTE_DIRECTORY|windows.FILE_ATTRIBUTE_REPARSE_POINT) != 0 {
		err = errNotRegular
	}
	if err != nil {
		CloseFile(int(h))
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return int(h), nil
}

func describe(h windows.Handle) (info windows.ByHandleFileInformation, err error) {
	err = windows.GetFileInformationByHandle(h, &info)
	return info, os.NewSyscallError("GetFileInformationByHandle", err)
}

func identity(info *windows.ByHandleFileInformation) FileID {
	return FileID{volume: info.VolumeSerialNumber, index: uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)}
}

// SizeAndTime returns the size of an open file and when it was last written to.
func SizeAndTime(fd int) (size int64, modified time.Time, err error) {
	info, err := describe(windows.Handle(fd))
	return int64(info.FileSizeHigh)<<32 | int64(info.FileSizeLow), time.Unix(0, info.LastWriteTime.Nanoseconds()), err
}

// Lookup returns what the directory has under a name.
func Lookup(dir int, name string) (FileID, error) {
	return identify(dir, name, windows.FILE_FLAG_OPEN_REPARSE_POINT)
}

// pathID returns which directory a path leads to now.
func pathID(path string) (FileID, error) { return identify(ByPath, path, 0) }

func identify(dir int, name string, flags uint32) (FileID, error) {
	h, err := openAs(dir, name, 0, shareAll, windows.OPEN_EXISTING, flags|windows.FILE_FLAG_BACKUP_SEMANTICS)
	if err != nil {
		return FileID{}, err
	}
	defer CloseFile(int(h))
	info, err := describe(h)
	return identity(&info), err
}

// Refused reports whether an error of the file system means that permission is missing, or that what is there must not be used.
func Refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, errNotRegular) || errors.Is(err, errLinked)
}

// Exhausted reports whether an error says that no handle is left.
func Exhausted(err error) bool { return errors.Is(err, windows.ERROR_TOO_MANY_OPEN_FILES) }

// Writable returns nil: see modes.
func Writable(string) error { return nil }

// OpenDirectory creates the directory if it is missing, and opens it.
func OpenDirectory(path string) (fd int, err error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return -1, err
	}
	return openDirAt(ByPath, path, 0)
}

func openDirAt(dir int, name string, flags uint32) (fd int, err error) {
	h, err := openAs(dir, name, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE,
		windows.OPEN_EXISTING, flags|windows.FILE_FLAG_BACKUP_SEMANTICS)
	if err != nil {
		return -1, err
	}
	info, err := describe(h)
	if err == nil && (info.FileAttributes&windows.FILE_ATTRIBUTE_DIRECTORY == 0 || flags != 0 && info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0) {
		err = &os.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	if err != nil {
		CloseFile(int(h))
		return -1, err
	}
	return int(h), nil
}

// openSubdirectory creates and opens a directory in dir.
func openSubdirectory(dir int, name string) (int, error) {
	parent, err := pathOf(windows.Handle(dir))
	if err != nil {
		return -1, err
	}
	if err := os.Mkdir(parent+`\`+name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return -1, err
	}
	return openDirAt(dir, name, windows.FILE_FLAG_OPEN_REPARSE_POINT)
}

// Examine returns which directory is open. Owner and mode say nothing here.
func Examine(fd int) (id FileID, owner uint32, mode uint32, err error) {
	info, err := describe(windows.Handle(fd))
	return identity(&info), 0, 0, err
}

// Trusted is always true: see modes.
func Trusted(uint32) bool { return true }

// OwnerOf is not known here.
func OwnerOf(os.FileInfo) uint32 { return 0 }

// LinksOf returns 1: a listing does not tell the number of names.
func LinksOf(os.FileInfo) uint64 { return 1 }

// Remote names the file system of an open directory if it is on another machine. A mapped drive counts as what it stands for.
func Remote(fd int) string {
	if path, err := pathOf(windows.Handle(fd)); err == nil && strings.HasPrefix(path, `\\?\UNC\`) {
		return "a network share"
	}
	return ""
}

// What only a repair needs.

func renameAt(int, string, string) error { return errors.ErrUnsupported }

// UnlinkAt is not supported.
func UnlinkAt(int, string) error { return errors.ErrUnsupported }
