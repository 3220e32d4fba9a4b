package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Inspect returns the holders of a name of a lock directory and its waiters, of every process. It
// only reads: it takes no lock and disturbs no process. It works on a read-only file system, and in
// the directory of another user who has given the right to read. A directory that does not exist
// has no holders and no waiters.
//
// [Backend.Inspect] is more exact. Inspect may report a holder for a tenth of a second after its
// release, and a process that has ended until another one notices, if the caller may not write to
// the inboxes.
//
// A program that holds the lock file by flock(1) is a holder without an ID, if the name has no
// other holder. Only Linux tells of such programs, and in a container not of those outside.
//
// The error wraps [backends.ErrPermission] if a file may not be read, [backends.ErrUnavailable] if
// it cannot be read or is damaged, and [backends.ErrInvalid] for a bad name or a path that is no
// directory.
func Inspect(ctx context.Context, dir, name string) (backends.State, error) {
	none := backends.State{Resource: backends.Resource{Name: name}}
	err := backends.CheckName(name)
	if err == nil {
		err = ended(ctx)
	}
	if err != nil {
		return none, wrap("inspect", "", err)
	}
	d, err := openToRead(dir)
	if d == nil {
		return none, err
	}
	defer d.close()
	state, err := d.view(stem(name), d.flocks())
	if err != nil {
		return none, wrap("inspect", name, err)
	}
	state.Resource.Name = name
	return state, nil
}

// List yields the state of every name in use of a lock directory, each read when it is reached,
// under the conditions of [Inspect]. A name that cannot be read does not end the sequence: List
// yields its error with a state that has only the name.
func List(ctx context.Context, dir string) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		if err := backends.CheckContext(ctx); err != nil {
			yield(backends.State{}, wrap("list", "", err))
			return
		}
		d, err := openToRead(dir)
		if d == nil {
			if err != nil {
				yield(backends.State{}, err)
			}
			return
		}
		defer d.close()
		stems, err := d.stems()
		if err != nil {
			yield(backends.State{}, storeError("read", d.path, err))
			return
		}
		locks := d.flocks()
		for _, s := range stems {
			if err := ended(ctx); err != nil {
				yield(backends.State{}, wrap("list", "", err))
				return
			}
			state, err := d.view(s, locks)
			if err == nil && state.Resource.Kind == 0 {
				continue
			}
			if !yield(state, wrap("list", "", err)) {
				return
			}
		}
	}
}

// openToRead opens a lock directory for Inspect and List. It returns nil if there is none.
func openToRead(dir string) (*directory, error) {
	if !supported {
		return nil, fmt.Errorf("file: %w: no file locks on this operating system", backends.ErrUnsupported)
	}
	if dir == "" {
		return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: dir, Want: "a path"})
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, storeError("locate", dir, err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a directory that does not exist is no error
	}
	fd, err := openDirAt(byPath, path, 0)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("file: %w", &backends.InvalidError{Field: "directory", Value: path, Want: "a directory; it or a parent is something else"})
	case err != nil:
		return nil, storeError("open", path, err)
	}
	return &directory{path: path, fd: fd, inboxes: clientsName}, nil
}

// stems returns the stems of all names that have a table or a lock file, sorted.
func (d *directory) stems() ([]string, error) {
	files, err := d.names(d.path)
	var stems []string
	for _, file := range files {
		s, ok := strings.CutSuffix(file, tableEnding)
		if !ok {
			s, ok = strings.CutSuffix(file, lockEnding)
		}
		if ok {
			stems = append(stems, s)
		}
	}
	slices.Sort(stems)
	return slices.Compact(stems), err
}

// view reads the state of the name with the stem s, without a lock. Its Kind is zero if the name
// has no holder and no waiter.
//
// A client that has the kernel's lock and no line in the table is about to write its line, or has
// just removed it, and keeps the table locked meanwhile. So view reports a foreign holder only if
// two looks at all locks in a row find the lock file locked and the table free, and the table does
// not change. One look is not enough, since the kernel does not list all locks at one instant. For
// the same reason a lock that is missing from the list proves nothing.
func (d *directory) view(s string, locks flocks) (state backends.State, err error) {
	const looks, enough = 20, 2
	var before []byte
	agreed := 0
	for range looks {
		t, raw, err := d.readUnlocked(s)
		if err != nil {
			name, _ := nameOf(s)
			return backends.State{Resource: backends.Resource{Name: name}}, unusable("read", s+tableEnding+" in "+d.path, err)
		}
		for _, client := range t.clients(0) { // 0 is nobody's number
			if d.dead(client) {
				t.dropClient(client)
			}
		}
		state = t.state()
		foreign := d.withForeign(state, s, locks)
		if len(foreign.Holders) == len(state.Holders) {
			return state, nil
		}
		if agreed++; !bytes.Equal(raw, before) || d.locked(s+tableEnding, locks) {
			agreed = 0
		}
		if agreed == enough {
			return foreign, nil
		}
		before, locks = bytes.Clone(raw), d.flocks()
	}
	return state, nil
}

// locked reports whether a file of the directory is among the locked ones.
func (d *directory) locked(name string, locks flocks) bool {
	id, err := lookup(d.fd, name)
	_, ok := locks[id.number()]
	return err == nil && ok
}

// readUnlocked reads the table of a name without locking it, and returns its first page too. A
// table read in the middle of a change has a wrong checksum and is read again.
func (d *directory) readUnlocked(s string) (t *table, raw []byte, err error) {
	fd, err := openReadOnly(d.fd, s+tableEnding)
	if errors.Is(err, fs.ErrNotExist) {
		name, _ := nameOf(s)
		return &table{name: name}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer closeFile(fd)
	const tries = 1000 // a change takes microseconds
	for range tries {
		if t, raw, err = readTable(fd); err == nil {
			break
		}
	}
	switch {
	case err == errCorrupt && len(raw) == 0: //nolint:errorlint // ours, unwrapped
		name, _ := nameOf(s)
		return &table{name: name}, nil, nil
	case err == nil && stem(t.name) != s:
		err = fmt.Errorf("%w: it is the table of another name, %q", backends.ErrMismatch, t.name)
	}
	return t, raw, err
}

// withForeign adds the foreign holder: a program that is no client and has locked the lock file of
// a name that no client holds.
func (d *directory) withForeign(state backends.State, s string, locks flocks) backends.State {
	if len(state.Holders) > 0 || len(locks) == 0 {
		return state
	}
	id, err := lookup(d.fd, s+lockEnding)
	if err != nil {
		return state
	}
	l, ok := locks[id.number()]
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

// flocks are the kernel's locks on the files of one file system, by the number of the file.
type flocks map[uint64]flockHolder

// flockHolder is the holder of a lock of flock(2). Its pid is 0 if the process that took the lock
// has ended, and another one has inherited the open file.
type flockHolder struct {
	pid       int
	exclusive bool
}
