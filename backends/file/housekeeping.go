package file

import (
	"context"
	"errors"
	"io/fs"
)

// removeIdlers removes the files of the names that were found out of use, and returns of how many.
func (e *exam) removeIdlers(ctx context.Context) (removed int, err error) {
	if err := e.dir.raiseFloor(e.token); err != nil { // once for all: it goes to the disk
		return 0, err
	}
	unused := func(t *table) bool {
		for _, client := range t.clients(0) {
			if !e.inboxes || e.dir.dead(client) {
				t.dropClient(client)
			}
		}
		return !t.used()
	}
	for _, s := range e.idlers {
		if ctx.Err() != nil {
			return removed, wrap("repair", "", ended(ctx))
		}
		ok, err := e.dir.removeName(s, e.token, unused)
		if err != nil {
			return removed, err
		}
		if ok {
			removed++
		}
	}
	return removed, nil
}

// removeName removes the table of a name and its lock file, and reports whether it did. The table's tokens must not be above
// floor, which was raised before; and may says, of the table as it is now, whether it may go. An empty table may.
//
// Nobody is deceived who has the files open. A client of this package makes sure, whenever it has taken the kernel's lock on a lock file,
// that the file still has its name. A table is emptied before it is removed, and whoever finds an empty table makes sure
// as well. Both are locked here meanwhile, so nobody holds the lock, and nobody can have read what is about to go. Other
// programs do not make sure, so the lock file stays if anybody has it open.
func (d *directory) removeName(s string, floor uint64, may func(*table) bool) (bool, error) {
	table, err := d.seize(s + tableEnding)
	if err != nil || table == taken {
		return false, err
	}
	defer table.free()
	if table >= 0 {
		t, raw, err := readTable(int(table))
		switch {
		case err == nil && (t.token > floor || !may(t)), err != nil && len(raw) > 0:
			return false, nil // used since
		case err != nil && err != errCorrupt: //nolint:errorlint // ours, unwrapped
			return false, err
		}
	}
	lock, err := d.seize(s + lockEnding)
	if err != nil || lock == taken {
		return false, err
	}
	defer lock.free()
	if lock >= 0 {
		if size, _, err := sizeAndTime(int(lock)); err != nil || size > 0 || !alone(int(lock)) {
			return false, err // somebody else has it open, or keeps something in it
		}
		if err := unlinkAt(d.fd, s+lockEnding); err != nil {
			return false, err
		}
	}
	if table >= 0 {
		if err := truncate(int(table), 0); err != nil {
			return false, err
		}
		return true, unlinkAt(d.fd, s+tableEnding)
	}
	return lock >= 0, nil
}

// seized is the descriptor of a file that is open and locked by us, or one of these.
type seized int

const (
	missing seized = -1
	taken   seized = -2 // somebody else has it locked
)

// seize opens and locks a file, and makes sure that it still has its name then.
func (d *directory) seize(name string) (seized, error) {
	fd, id, err := openRegular(d.fd, name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return missing, nil
	}
	if err != nil {
		return missing, err
	}
	ok, err := tryLock(fd, exclusive)
	if err == nil && ok {
		err = d.holds(name, id)
	}
	if !ok || err != nil {
		closeFile(fd)
		if gone(err) {
			err = nil // somebody else removes it
		}
		return taken, err
	}
	return seized(fd), nil
}

// free closes the file, which unlocks it.
func (s seized) free() {
	if s >= 0 {
		closeFile(int(s))
	}
}
