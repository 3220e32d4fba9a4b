package file

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
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
		return b.dir.WithForeign(none, lockdir.Stem(name), b.dir.Flocks()), nil
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
	return backends.Ended(ctx)
}

// known reports whether the name was ever used. To look at a name that was not must not create its files.
func (b *Backend) known(name string) bool {
	s := lockdir.Stem(name)
	if b.live(s) != nil {
		return true
	}
	_, err := os.Lstat(filepath.Join(b.dir.Path, s+lockdir.TableEnding))
	return !lockdir.Gone(err)
}

// List yields the state of every resource in use, each as it is when it is reached. It reads every table in the directory.
func (b *Backend) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		err := b.view(ctx, "list")
		var stems []string
		if err == nil {
			if stems, err = b.dir.Stems(); err != nil {
				err = lockdir.Unusable("read", b.dir.Path, err)
			}
		}
		locks := b.dir.Flocks()
		for _, s := range stems {
			name, used := b.dir.SeemsUsed(s, locks)
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

func (r *resource) inspect(q *query) {
	r.turn.queries = append(r.turn.queries, q)
	r.clean()
	q.seen = r.tab.State()
	if r.kernel.holds == 0 {
		q.seen = r.b.dir.WithForeign(q.seen, r.stem, r.b.dir.Flocks())
	}
}

func (r *resource) breakAll(q *query) {
	r.turn.queries, q.writes = append(r.turn.queries, q), true
	r.clean()
	t := r.tab
	held := slices.DeleteFunc(t.Holders, func(e lockdir.Entry) bool { return e.Kept })
	if len(held) < len(t.Holders) {
		r.turn.dirty, r.turn.moved = true, true
	}
	t.Holders = held
	for i := range t.Holders {
		if e := &t.Holders[i]; e.ID.Client != r.b.id && !e.Broken {
			e.Broken = true
			r.wake(e.ID.Client)
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
