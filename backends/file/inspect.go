package file

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Inspect returns who holds the resource and who waits for it, of every process, at one instant.
// Processes that have ended are left out and removed from the table. A program that holds the lock
// file by flock(1) is reported as by the function [Inspect].
func (b *Backend) Inspect(ctx context.Context, name string) (backends.State, error) {
	none := backends.State{Resource: backends.Resource{Name: name}}
	err := b.view(ctx, name)
	if err != nil {
		return none, wrap("inspect", name, err)
	}
	if !b.known(name) {
		return b.dir.withForeign(none, stem(name), b.dir.flocks()), nil
	}
	q := new(query)
	if err := b.ask(ctx, name, inspect, q); err != nil {
		return none, wrap("inspect", name, err)
	}
	return q.seen, nil
}

// Break ends every grant of the resource. Those of other processes end as soon as these have taken note, which they are woken
// to do; a process that was stopped keeps the kernel's lock of a mutex or reader-writer lock until it goes
// on or is killed. See [backends.Backend].
func (b *Backend) Break(ctx context.Context, name string) error {
	err := b.view(ctx, name)
	if err != nil || !b.known(name) {
		return wrap("break", name, err)
	}
	return wrap("break", name, b.ask(ctx, name, breakAll, new(query)))
}

// view checks what Inspect, Break and List have in common.
func (b *Backend) view(ctx context.Context, name string) error {
	b.made()
	if b.closing.Load() {
		return backends.ErrClosed
	}
	if err := backends.CheckName(name); err != nil {
		return err
	}
	return ended(ctx)
}

// known reports whether the name was ever used. To look at a name that was not must not create its files.
func (b *Backend) known(name string) bool {
	s := stem(name)
	if b.live(s) != nil {
		return true
	}
	_, err := os.Lstat(filepath.Join(b.dir.path, s+tableEnding))
	return !gone(err)
}

// List yields the state of every resource in use, each as it is when it is reached. It reads every table in the directory.
func (b *Backend) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		err := b.view(ctx, "list")
		var stems []string
		if err == nil {
			if stems, err = b.dir.stems(); err != nil {
				err = unusable("read", b.dir.path, err)
			}
		}
		locks := b.dir.flocks()
		for _, s := range stems {
			name, used := b.dir.seemsUsed(s, locks)
			if !used {
				continue
			}
			var state backends.State
			if state, err = b.Inspect(ctx, name); err != nil {
				break
			}
			if state.Resource.Kind != 0 && !yield(state, nil) {
				return
			}
		}
		if err != nil {
			yield(backends.State{}, wrap("list", "", err))
		}
	}
}

// names lists d or a directory below it. It closes idle files if the process has no descriptor left.
func (d *directory) names(path string) ([]string, error) {
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

// everyone lists all clients, also dead ones.
func (d *directory) everyone() []uint64 {
	inboxes, _ := d.names(filepath.Join(d.path, clientsName)) // who is not told finds out by and by
	var ids []uint64
	for _, name := range inboxes {
		if id, err := strconv.ParseUint(name, 16, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// seemsUsed reports whether a name may be in use. A table that is damaged, or that cannot be read
// in the middle of a change, counts as used; a file that is no table of this package does not.
func (d *directory) seemsUsed(s string, locks flocks) (name string, used bool) {
	state, err := d.view(s, locks)
	name = state.Resource.Name
	return name, name != "" && (err == nil && state.Resource.Kind != 0 ||
		err != nil && !gone(err) && !refused(err) && !errors.Is(err, backends.ErrMismatch))
}

func (r *resource) inspect(q *query) {
	r.turn.queries = append(r.turn.queries, q)
	r.clean()
	q.seen = r.tab.state()
	if r.kernel.holds == 0 {
		q.seen = r.b.dir.withForeign(q.seen, r.stem, r.b.dir.flocks())
	}
}

func (r *resource) breakAll(q *query) {
	r.turn.queries, q.writes = append(r.turn.queries, q), true
	r.clean()
	t := r.tab
	for i := range t.holders {
		if e := &t.holders[i]; e.id.Client != r.b.id && !e.broken {
			e.broken = true
			r.wake(e.id.Client)
			r.turn.dirty, r.turn.moved = true, true
		}
	}
	for _, p := range r.parts {
		if p.state == granted {
			r.loseOne(p, backends.Broken, nil)
		}
	}
	r.dropKernel()
}
