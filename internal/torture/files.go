//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
)

// Files is the store in a directory.
func Files() Store {
	return Store{
		Name:   "file",
		Faults: fileFaults,
		Open:   func(_ Config, address string) (backends.Backend, error) { return file.New(address) },
		Start: func(s *Stage, _ Config) Bed {
			b := &fileBed{stage: s, disk: s.TempDir()}
			if err := unix.Mount("lockkeeper", b.disk, "tmpfs", 0, "size=4m,mode=700"); err == nil {
				b.mounted = true
				s.Cleanup(func() { _ = unix.Unmount(b.disk, unix.MNT_DETACH) })
			}
			return b
		},
	}
}

// fileBed is a directory, on a disk of its own where the program may mount one.
type fileBed struct {
	stage   *Stage
	disk    string
	mounted bool
}

func (b *fileBed) dir() string        { return filepath.Join(b.disk, "locks") }
func (b *fileBed) Address(int) string { return b.dir() }

// Can says that a disk that belongs to others is not filled.
func (b *fileBed) Can(Fault) bool { return b.mounted }

func (b *fileBed) Cause(s Step) {
	if s.Fault.Name != "full-disk" {
		panic("bug: no fault of files is called " + s.Fault.Name)
	}
	f, err := os.Create(filepath.Join(b.disk, "filler"))
	if err != nil {
		b.stage.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for end := time.Now().Add(s.For); time.Now().Before(end); Pause(5 * time.Millisecond) {
		for err == nil { // also what becomes free meanwhile
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, unix.ENOSPC) {
			b.stage.Fatal(err)
		}
		err = nil
	}
}

// left returns what is in the directory beside the files of the names, and names that have holders
// or waiters.
func (b *fileBed) Left() []string {
	var left []string
	entries, err := os.ReadDir(b.dir())
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		switch ending := filepath.Ext(e.Name()); {
		case ending == ".lock", ending == ".table", strings.HasPrefix(e.Name(), "."):
		default:
			left = append(left, "file "+e.Name())
		}
	}
	return append(left, InUse(func() (backends.Backend, error) { return file.New(b.dir()) })...)
}

// InUse lists the names that are held or waited for.
func InUse(open func() (backends.Backend, error)) []string {
	client, err := open()
	if err != nil {
		return []string{err.Error()}
	}
	ctx := context.Background()
	defer client.Close(ctx)
	var left []string
	for state, err := range client.List(ctx) {
		if err != nil {
			return append(left, err.Error())
		}
		left = append(left, fmt.Sprintf("name %q: holders %+v, waiters %+v", state.Resource.Name, state.Holders, state.Waiters))
	}
	return left
}
