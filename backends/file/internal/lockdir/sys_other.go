//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package lockdir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// On these systems New fails with ErrUnsupported. What follows makes the package compile; it is never called.

const (
	Supported = false
	Repairs   = false
	Modes     = false
	InboxType = fs.FileMode(0)
)

type FileID struct{}

func (FileID) Number() uint64 { return 0 }

type LockMode int

const (
	Unlocked LockMode = iota
	Shared
	Exclusive
)

const ByPath = -1

var ErrDead = errors.New("the process has ended")

func TryLock(int, LockMode) (bool, error)       { return false, errors.ErrUnsupported }
func WaitLock(int) error                        { return errors.ErrUnsupported }
func Unlock(int)                                {}
func CloseFile(int)                             {}
func readAt(int, []byte, int64) (int, error)    { return 0, errors.ErrUnsupported }
func writeAt(int, []byte, int64) error          { return errors.ErrUnsupported }
func Truncate(int, int64) error                 { return errors.ErrUnsupported }
func flush(int) error                           { return errors.ErrUnsupported }
func flushEntries(int) error                    { return errors.ErrUnsupported }
func Lookup(int, string) (FileID, error)        { return FileID{}, errors.ErrUnsupported }
func pathID(string) (FileID, error)             { return FileID{}, errors.ErrUnsupported }
func renameAt(int, string, string) error        { return errors.ErrUnsupported }
func UnlinkAt(int, string) error                { return errors.ErrUnsupported }
func OwnerOf(os.FileInfo) uint32                { return 0 }
func LinksOf(os.FileInfo) uint64                { return 1 }
func Refused(error) bool                        { return false }
func Exhausted(error) bool                      { return false }
func Writable(string) error                     { return errors.ErrUnsupported }
func Trusted(uint32) bool                       { return false }
func OpenDirectory(string) (int, error)         { return -1, errors.ErrUnsupported }
func openSubdirectory(int, string) (int, error) { return -1, errors.ErrUnsupported }
func AwaitEnd(*os.File)                         {}

func OpenReadOnly(int, string) (int, error)   { return -1, errors.ErrUnsupported }
func openDirAt(int, string, int) (int, error) { return -1, errors.ErrUnsupported }

func OpenRegular(int, string, bool) (int, FileID, error) { return -1, FileID{}, errors.ErrUnsupported }

func SizeAndTime(int) (int64, time.Time, error) { return 0, time.Time{}, errors.ErrUnsupported }

func Examine(int) (id FileID, owner, mode uint32, err error) {
	return FileID{}, 0, 0, errors.ErrUnsupported
}

func (*Dir) RemoveInbox(uint64)                 {}
func (*Dir) Dead(uint64) bool                   { return false }
func (*Dir) Wake(uint64, string) bool           { return true }
func (*Dir) OpenWatch(uint64) (*os.File, error) { return nil, errors.ErrUnsupported }

func (*Dir) CreateInbox(uint64) (io.ReadCloser, FileID, error) {
	return nil, FileID{}, errors.ErrUnsupported
}
