//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// On these systems New fails with ErrUnsupported. What follows makes the package compile; it is never called.

const (
	supported = false
	repairs   = false
	modes     = false
	inboxType = fs.FileMode(0)
)

type fileID struct{}

func (fileID) number() uint64 { return 0 }

type lockMode int

const (
	unlocked lockMode = iota
	shared
	exclusive
)

const byPath = -1

var errDead = errors.New("the process has ended")

func tryLock(int, lockMode) (bool, error)       { return false, errors.ErrUnsupported }
func waitLock(int) error                        { return errors.ErrUnsupported }
func unlock(int)                                {}
func closeFile(int)                             {}
func readAt(int, []byte, int64) (int, error)    { return 0, errors.ErrUnsupported }
func writeAt(int, []byte, int64) error          { return errors.ErrUnsupported }
func truncate(int, int64) error                 { return errors.ErrUnsupported }
func flush(int) error                           { return errors.ErrUnsupported }
func flushEntries(int) error                    { return errors.ErrUnsupported }
func lookup(int, string) (fileID, error)        { return fileID{}, errors.ErrUnsupported }
func pathID(string) (fileID, error)             { return fileID{}, errors.ErrUnsupported }
func renameAt(int, string, string) error        { return errors.ErrUnsupported }
func unlinkAt(int, string) error                { return errors.ErrUnsupported }
func ownerOf(os.FileInfo) uint32                { return 0 }
func linksOf(os.FileInfo) uint64                { return 1 }
func refused(error) bool                        { return false }
func exhausted(error) bool                      { return false }
func writable(string) error                     { return errors.ErrUnsupported }
func trusted(uint32) bool                       { return false }
func openDirectory(string) (int, error)         { return -1, errors.ErrUnsupported }
func openSubdirectory(int, string) (int, error) { return -1, errors.ErrUnsupported }
func awaitEnd(*os.File)                         {}

func openReadOnly(int, string) (int, error)   { return -1, errors.ErrUnsupported }
func openDirAt(int, string, int) (int, error) { return -1, errors.ErrUnsupported }

func openRegular(int, string, bool) (int, fileID, error) { return -1, fileID{}, errors.ErrUnsupported }

func sizeAndTime(int) (int64, time.Time, error) { return 0, time.Time{}, errors.ErrUnsupported }

func examine(int) (id fileID, owner, mode uint32, err error) {
	return fileID{}, 0, 0, errors.ErrUnsupported
}

func (*directory) removeInbox(uint64)                 {}
func (*directory) dead(uint64) bool                   { return false }
func (*directory) wake(uint64, string) bool           { return true }
func (*directory) openWatch(uint64) (*os.File, error) { return nil, errors.ErrUnsupported }

func (*directory) createInbox(uint64) (io.ReadCloser, fileID, error) {
	return nil, fileID{}, errors.ErrUnsupported
}
