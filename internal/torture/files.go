//go:build linux

package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
)

// Files is the store in a directory.
func Files() Store {
	return Store{
		Name: "file",
		Open: func(_ Config, address string) (backends.Backend, error) { return file.New(address) },
		Start: func(s *Stage, _ Config) Bed {
			return &fileBed{filepath.Join(s.TempDir(), "locks")}
		},
	}
}

type fileBed struct{ dir string }

func (b *fileBed) Address(int) string { return b.dir }
func (b *fileBed) Cause(s Step)       { panic("bug: no fault of files is called " + s.Fault.Name) }

// left returns what is in the directory beside the files of the names, and names that have holders
// or waiters.
func (b *fileBed) Left() []string {
	var left []string
	entries, err := os.ReadDir(b.dir)
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
	return append(left, InUse(func() (backends.Backend, error) { return file.New(b.dir) })...)
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
