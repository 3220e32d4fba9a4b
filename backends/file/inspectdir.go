package file

import (
	"context"
	"iter"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
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
		err = backends.Ended(ctx)
	}
	if err != nil {
		return none, wrap("inspect", "", err)
	}
	d, err := lockdir.OpenToRead(dir)
	if d == nil {
		return none, err
	}
	defer d.Close()
	state, err := d.View(lockdir.Stem(name), d.Flocks())
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
		d, err := lockdir.OpenToRead(dir)
		if d == nil {
			if err != nil {
				yield(backends.State{}, err)
			}
			return
		}
		defer d.Close()
		stems, err := d.Stems()
		if err != nil {
			yield(backends.State{}, lockdir.StoreError("read", d.Path, err))
			return
		}
		locks := d.Flocks()
		for _, s := range stems {
			if err := backends.Ended(ctx); err != nil {
				yield(backends.State{}, wrap("list", "", err))
				return
			}
			state, err := d.View(s, locks)
			if err == nil && state.Resource.Kind == 0 {
				continue
			}
			if !yield(state, wrap("list", "", err)) {
				return
			}
		}
	}
}
