package file

import (
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// load brings r.tab up to date. It returns errReplaced if the file has lost its name, which it checks when something
// hints at it, and always for a semaphore: its exclusion has nothing else to rest on.
func (r *resource) load() error {
	if err := r.checkFiles(); err != nil {
		return err
	}
	f := &r.table
	if same, err := f.Unchanged(); same || err != nil {
		return err
	}
	r.stale = true
	t, err := f.Read()
	switch {
	case err == lockdir.ErrCorrupt: //nolint:errorlint // ours, unwrapped
		return r.recover()
	case err != nil:
		f.Forget()
		return err
	case t.Name != r.name:
		f.Forget()
		return fmt.Errorf("%w: it is the table of another name, %q", backends.ErrMismatch, t.Name)
	}
	r.tab = t
	return nil
}

func (r *resource) checkFiles() error {
	if r.mustCheck() {
		if err := r.checkTable(); err != nil {
			return err
		}
	}
	if r.needsInbox() {
		return r.ensureInbox()
	}
	return nil
}

// needsInbox reports whether the client must have an inbox in this turn. It must if permits may be
// granted, since others take a client without an inbox for dead and take its permits; and if the
// turn checks the files.
func (r *resource) needsInbox() bool {
	if r.wantsPermits() || slices.ContainsFunc(r.pending, func(m message) bool { return m.verb == verify }) {
		return true
	}
	if r.waiters > 0 {
		for _, p := range r.parts {
			return !lockdir.OnKernel(p.request.Kind) // all requests of a name are of one kind
		}
	}
	return false
}

// ensureInbox makes a new inbox if the client's has lost its name. The table is locked, so no
// process that takes this client for dead changes it now; this turn puts earlier changes right, see
// restore. If no inbox can be made, the client loses its permits.
func (r *resource) ensureInbox() error {
	b := r.b
	err := b.dir.Holds(b.dir.InboxOf(b.id), *b.inbox.Load())
	if !lockdir.Gone(err) {
		return err
	}
	if err = b.replaceInbox(); err != nil {
		r.loseSemaphores(err)
	}
	return err
}

// checkTable returns errReplaced if the table has lost its name.
func (r *resource) checkTable() error {
	err := r.b.dir.Holds(r.stem+lockdir.TableEnding, r.table.ID)
	if lockdir.Gone(err) {
		r.loseSemaphores(err)
		return lockdir.ErrReplaced
	}
	return err
}

func (r *resource) mustCheck() bool {
	if !r.table.Known() || r.wantsPermits() {
		return true
	}
	for _, m := range r.pending {
		switch m.verb {
		case look, again, verify, died:
			return true
		}
	}
	return false
}

// wantsPermits reports whether a request for permits of a semaphore is pending.
func (r *resource) wantsPermits() bool {
	for _, m := range r.pending {
		if m.op != nil && m.op.steps[m.step].wantsPermits() {
			return true
		}
	}
	return false
}

// recover makes a new table in place of one that is empty or damaged. Tokens go on from what can still be read, above the
// floor of removed names, and from the clock in any case. Live processes put their own lines back when they look: they are told
// to, unless the file is a new one.
func (r *resource) recover() error {
	// Whoever removes a table empties it first, so that those who have it open come here.
	if err := r.checkTable(); err != nil {
		return err
	}
	floor, err := r.b.dir.Floor()
	if err != nil {
		r.table.Forget()
		return err
	}
	token := max(floor, r.table.Salvage())
	r.tab = &lockdir.Table{Name: r.name, Kind: backends.Mutex, Capacity: 1, Token: token}
	if !r.table.Fresh {
		r.turn.dirty = true
		r.turn.everyone = true
	}
	r.table.Fresh = false
	return nil
}

// save writes r.tab if the turn has changed it.
func (r *resource) save() error {
	if !r.turn.dirty {
		return nil
	}
	if err := r.table.Write(r.tab, r.b.dir, r.b.sync); err != nil {
		return err
	}
	r.turn.dirty, r.leftover = false, false
	return nil
}
