package lockdir

import (
	"errors"
	"io/fs"
)

// RemoveName removes the table of a name and its lock file, and reports whether it did. The table's tokens must not be above
// floor, which was raised before; and may says, of the table as it is now, whether it may go. An empty table may.
//
// Nobody is deceived who has the files open. A client of this package makes sure, whenever it has taken the kernel's lock on a lock file,
// that the file still has its name. A table is emptied before it is removed, and whoever finds an empty table makes sure
// as well. Both are locked here meanwhile, so nobody holds the lock, and nobody can have read what is about to go. Other
// programs do not make sure, so the lock file stays if anybody has it open.
func (d *Dir) RemoveName(s string, floor uint64, may func(*Table) bool) (bool, error) {
	table, err := d.Seize(s + TableEnding)
	if err != nil || table == taken {
		return false, err
	}
	defer table.Free()
	if table >= 0 {
		t, raw, err := ReadTable(int(table))
		switch {
		case err == nil && (t.Token > floor || !may(t)), err != nil && len(raw) > 0:
			return false, nil // Used since
		case err != nil && err != ErrCorrupt: //nolint:errorlint // ours, unwrapped
			return false, err
		}
	}
	lock, err := d.Seize(s + LockEnding)
	if err != nil || lock == taken {
		return false, err
	}
	defer lock.Free()
	if lock >= 0 {
		if size, _, err := SizeAndTime(int(lock)); err != nil || size > 0 || !alone(int(lock)) {
			return false, err // somebody else has it open, or keeps something in it
		}
		if err := UnlinkAt(d.FD, s+LockEnding); err != nil {
			return false, err
		}
	}
	if table >= 0 {
		if err := Truncate(int(table), 0); err != nil {
			return false, err
		}
		return true, UnlinkAt(d.FD, s+TableEnding)
	}
	return lock >= 0, nil
}

// EmptyTable empties a table, if may says so of the table as it is now. Whoever finds it empty makes a
// new one in its place.
func (d *Dir) EmptyTable(s string, may func(*Table) bool) error {
	table, err := d.Seize(s + TableEnding)
	if err != nil || table < 0 {
		return err
	}
	defer table.Free()
	if t, _, err := ReadTable(int(table)); err != nil || !may(t) {
		return nil // it is another by now
	}
	return Truncate(int(table), 0)
}

// seized is the descriptor of a file that is open and locked by us, or one of these.
type seized int

const (
	missing seized = -1
	taken   seized = -2 // somebody else has it locked
)

// Seize opens and locks a file, and makes sure that it still has its name then.
func (d *Dir) Seize(name string) (seized, error) {
	fd, id, err := OpenRegular(d.FD, name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return missing, nil
	}
	if err != nil {
		return missing, err
	}
	ok, err := TryLock(fd, Exclusive)
	if err == nil && ok {
		err = d.Holds(name, id)
	}
	if !ok || err != nil {
		CloseFile(fd)
		if Gone(err) {
			err = nil // somebody else removes it
		}
		return taken, err
	}
	return seized(fd), nil
}

// Free closes the file, which unlocks it.
func (s seized) Free() {
	if s >= 0 {
		CloseFile(int(s))
	}
}
