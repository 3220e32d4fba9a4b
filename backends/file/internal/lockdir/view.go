package lockdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/lockkeeper/lockkeeper/backends"
)

// OpenToRead opens a lock directory for Inspect and List. It returns nil if there is none.
func OpenToRead(dir string) (*Dir, error) {
	if !Supported {
		return nil, fmt.Errorf("file: %w: no file locks on this operating system", backends.ErrUnsupported)
	}
	if dir == "" {
		return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: dir, Want: "a path"})
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, StoreError("locate", dir, err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a directory that does not exist is no error
	}
	fd, err := openDirAt(ByPath, path, 0)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: path, Want: "a directory; it or a parent is something else"})
	case err != nil:
		return nil, StoreError("open", path, err)
	}
	return &Dir{Path: path, FD: fd, Inboxes: ClientsName}, nil
}

// Stems returns the stems of all names that have a table or a lock file, sorted.
func (d *Dir) Stems() ([]string, error) {
	files, err := d.names(d.Path)
	var stems []string
	for _, file := range files {
		s, ok := strings.CutSuffix(file, TableEnding)
		if !ok {
			s, ok = strings.CutSuffix(file, LockEnding)
		}
		if ok {
			stems = append(stems, s)
		}
	}
	slices.Sort(stems)
	return slices.Compact(stems), err
}

// View reads the state of the name with the stem s, without a lock. Its Kind is zero if the name
// has no holder and no waiter.
//
// A client that has the kernel's lock and no line in the table is about to write its line, or has
// just removed it, and keeps the table locked meanwhile. So view reports a foreign holder only if
// two looks at all locks in a row find the lock file locked and the table free, and the table does
// not change. One look is not enough, since the kernel does not list all locks at one instant. For
// the same reason a lock that is missing from the list proves nothing.
func (d *Dir) View(s string, locks flocks) (state backends.State, err error) {
	const looks, enough = 20, 2
	var before []byte
	agreed := 0
	for range looks {
		t, raw, err := d.ReadUnlocked(s)
		if err != nil {
			name, _ := NameOf(s)
			return backends.State{Resource: backends.Resource{Name: name}}, Unusable("read", s+TableEnding+" in "+d.Path, err)
		}
		for _, client := range t.Clients(0) { // 0 is nobody's number
			if d.Dead(client) {
				t.DropClient(client)
			}
		}
		state = t.State()
		foreign := d.WithForeign(state, s, locks)
		if len(foreign.Holders) == len(state.Holders) {
			return state, nil
		}
		if agreed++; !bytes.Equal(raw, before) || d.locked(s+TableEnding, locks) {
			agreed = 0
		}
		if agreed == enough {
			return foreign, nil
		}
		before, locks = bytes.Clone(raw), d.Flocks()
	}
	return state, nil
}

// locked reports whether a file of the directory is among the locked ones.
func (d *Dir) locked(name string, locks flocks) bool {
	id, err := Lookup(d.FD, name)
	_, ok := locks[id.Number()]
	return err == nil && ok
}

// ReadUnlocked reads the table of a name without locking it, and returns its first page too. A
// Table read in the middle of a change has a wrong checksum and is read again.
func (d *Dir) ReadUnlocked(s string) (t *Table, raw []byte, err error) {
	fd, err := OpenReadOnly(d.FD, s+TableEnding)
	if errors.Is(err, fs.ErrNotExist) {
		name, _ := NameOf(s)
		return &Table{Name: name}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer CloseFile(fd)
	const tries = 1000 // a change takes microseconds
	for range tries {
		if t, raw, err = ReadTable(fd); err == nil {
			break
		}
	}
	switch {
	case err == ErrCorrupt && len(raw) == 0: //nolint:errorlint // ours, unwrapped
		name, _ := NameOf(s)
		return &Table{Name: name}, nil, nil
	case err == nil && Stem(t.Name) != s:
		err = fmt.Errorf("%w: it is the table of another name, %q", backends.ErrMismatch, t.Name)
	}
	return t, raw, err
}

// WithForeign adds the foreign holder: a program that is no client and has locked the lock file of
// a name that no client holds.
func (d *Dir) WithForeign(state backends.State, s string, locks flocks) backends.State {
	if len(state.Holders) > 0 || len(locks) == 0 {
		return state
	}
	id, err := Lookup(d.FD, s+LockEnding)
	if err != nil {
		return state
	}
	l, ok := locks[id.Number()]
	if !ok {
		return state
	}
	r := &state.Resource
	if r.Kind == 0 { // no client uses the name: the mode of the lock tells
		r.Kind, r.Capacity = backends.Mutex, 1
		if !l.exclusive {
			r.Kind, r.Capacity = backends.ReadWrite, backends.ReadWriteCapacity
		}
	}
	h := backends.Holder{Weight: r.Capacity}
	if !l.exclusive {
		h.Weight = 1
	}
	if l.pid > 0 {
		host, _ := os.Hostname() // without it, the owner is only a number
		h.Owner = backends.Owner{Host: host, PID: l.pid}
	}
	state.Holders = append(state.Holders, h)
	return state
}

// Flocks are the kernel's locks on the files of one file system, by the number of the file.
type flocks map[uint64]flockHolder

// flockHolder is the holder of a lock of flock(2). Its pid is 0 if the process that took the lock
// has ended, and another one has inherited the open file.
type flockHolder struct {
	pid       int
	exclusive bool
}

// names lists d or a directory below it. It closes idle files if the process has no descriptor left.
func (d *Dir) names(path string) ([]string, error) {
	dir, err := os.Open(path)
	if err != nil && d.freedDescriptors(err) {
		dir, err = os.Open(path)
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

// Everyone lists all clients, also dead ones.
func (d *Dir) Everyone() []uint64 {
	inboxes, _ := d.names(filepath.Join(d.Path, ClientsName)) // who is not told finds out by and by
	var ids []uint64
	for _, name := range inboxes {
		if id, err := strconv.ParseUint(name, 16, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// SeemsUsed reports whether a name may be in use. A table that is damaged, or that cannot be read
// in the middle of a change, counts as used; a file that is no table of this package does not.
func (d *Dir) SeemsUsed(s string, locks flocks) (name string, used bool) {
	state, err := d.View(s, locks)
	name = state.Resource.Name
	return name, name != "" && (err == nil && state.Resource.Kind != 0 ||
		err != nil && !Gone(err) && !Refused(err) && !errors.Is(err, backends.ErrMismatch))
}
