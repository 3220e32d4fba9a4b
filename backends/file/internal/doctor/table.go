package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// file looks at one entry of the directory. False: it is none of ours.
func (e *exam) file(f os.DirEntry) bool {
	name := f.Name()
	switch name {
	case lockdir.FloorName, lockdir.FloorDraft:
		e.floor(f)
		return true
	case lockdir.ClientsName:
		return true
	}
	s, isTable := strings.CutSuffix(name, lockdir.TableEnding)
	isLock := false
	if !isTable {
		s, isLock = strings.CutSuffix(name, lockdir.LockEnding)
	}
	if !isTable && !isLock {
		return false
	}
	info, err := f.Info()
	if err != nil || !e.usable(name, info) {
		return true // gone meanwhile, or said
	}
	if isTable {
		e.table(s)
	} else if _, err := lockdir.Lookup(e.dir.FD, s+lockdir.TableEnding); errors.Is(err, fs.ErrNotExist) && info.Size() == 0 && e.old(info.ModTime()) {
		e.idlers = append(e.idlers, s) // a lock file alone
	}
	return true
}

// floor looks whether the floor can be read, and written.
func (e *exam) floor(f os.DirEntry) {
	fd, err := lockdir.OpenReadOnly(e.dir.FD, f.Name())
	if err == nil {
		lockdir.CloseFile(fd)
		return
	}
	if !errors.Is(err, fs.ErrNotExist) {
		e.note(backends.Failure, "floor", fmt.Sprintf("%q cannot be opened: %v", f.Name(), err),
			"new names cannot be locked, or no files be removed", "find out who put it there, and remove it: tokens go on from the clock")
	}
}

// old reports whether a file last written at t is out of use, if nobody uses it.
func (e *exam) old(t time.Time) bool { return e.now.Sub(t) >= e.idle }

// usable looks whether a file of a name is a regular one of this user.
func (e *exam) usable(name string, info os.FileInfo) bool {
	switch owner := lockdir.OwnerOf(info); {
	case !info.Mode().IsRegular():
		e.note(backends.Failure, "foreign files", fmt.Sprintf("%q is no regular file (%v)", name, info.Mode()),
			"this name cannot be locked: permission is denied", "find out who put it there, and remove it")
		return false
	case lockdir.LinksOf(info) > 1:
		e.note(backends.Failure, "links", fmt.Sprintf("%q has %d names (hard links)", name, lockdir.LinksOf(info)),
			"this name cannot be locked: permission is denied, since two names of one file would be one lock",
			"remove the other name; or replace the file by a copy while the name is out of use")
		return false
	case !lockdir.Trusted(owner):
		e.note(backends.Failure, "foreign files", fmt.Sprintf("%q belongs to user %d", name, owner),
			"this name cannot be locked, or that user could change its table", "find out who put it there, and remove it")
		return false
	}
	if mode := info.Mode().Perm(); lockdir.Modes && mode != 0o600 {
		level, means := backends.Warning, "others may read who holds it, or lock it themselves"
		if mode&0o600 != 0o600 {
			level, means = backends.Failure, "this name cannot be locked: permission is denied"
		}
		e.mendable(backends.Finding{
			Level: level, Topic: "modes", What: fmt.Sprintf("%q has mode %04o", name, mode), Means: means, Mend: "chmod 0600",
		}, func() error { return os.Chmod(e.dir.Path+"/"+name, 0o600) }) // regular, and nobody else can write to the directory
		return true
	}
	fd, _, err := lockdir.OpenRegular(e.dir.FD, name, false)
	switch {
	case err == nil:
		lockdir.CloseFile(fd)
	case lockdir.Refused(err):
		e.note(backends.Failure, "foreign files",
			fmt.Sprintf("this user may not write to %q, which belongs to user %d", name, lockdir.OwnerOf(info)),
			"this name cannot be locked: permission is denied", "give the file to the owner of the directory (chown)")
	}
	return true
}

// table looks at one table.
func (e *exam) table(s string) {
	file := s + lockdir.TableEnding
	fd, err := lockdir.OpenReadOnly(e.dir.FD, file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !lockdir.Refused(err) { // refused: the mode was wrong, which was said
			e.note(backends.Failure, "tables", fmt.Sprintf("%q cannot be opened: %v", file, err), "this name cannot be locked", "")
		}
		return
	}
	defer lockdir.CloseFile(fd)
	const tries = 100 // it is locked for microseconds, as a rule
	locked := false
	for range tries {
		if locked, err = lockdir.TryLock(fd, lockdir.Exclusive); locked || err != nil {
			break
		}
	}
	if !locked {
		e.note(backends.Note, "tables", fmt.Sprintf("%q is being changed by a process", file),
			"if that stays so, the process was stopped in the middle: nobody else can use the name", "look again; continue (kill -CONT) or kill that process")
		return
	}
	size, modified, err := lockdir.SizeAndTime(fd)
	if err != nil {
		return
	}
	t, raw, err := lockdir.ReadTable(fd)
	lockdir.Unlock(fd)
	switch {
	case err == lockdir.ErrCorrupt && len(raw) == 0, err == nil && !t.Used() && lockdir.Stem(t.Name) == s: //nolint:errorlint // ours, unwrapped
		e.idler(s, t, size, modified)
	case err == lockdir.ErrCorrupt: //nolint:errorlint // ours, unwrapped
		e.damaged(s, file)
	case err != nil:
		e.note(backends.Failure, "tables", fmt.Sprintf("%q cannot be read: %v", file, err), "this name cannot be locked", "")
	case lockdir.Stem(t.Name) != s:
		e.misnamed(s, t)
	default:
		e.inUse(t, s, size, modified)
	}
	if t != nil {
		e.clock(t)
	}
}

func (e *exam) idler(s string, t *lockdir.Table, size int64, modified time.Time) {
	if !e.old(modified) {
		return
	}
	e.idlers = append(e.idlers, s)
	e.size += size
	if t != nil {
		e.token = max(e.token, t.Token)
	}
}

// inUse looks at a table with lines in it.
func (e *exam) inUse(t *lockdir.Table, s string, size int64, modified time.Time) {
	lines := len(t.Holders) + len(t.Waiters)
	t.EndKept(lockdir.Now())
	for _, client := range t.Clients(0) { // 0 is nobody's number
		if e.inboxes && !e.dir.Dead(client) {
			continue
		}
		t.DropClient(client)
	}
	dead := lines - len(t.Holders) - len(t.Waiters)
	if dead == 0 {
		return
	}
	if !t.Used() && e.old(modified) {
		e.idler(s, t, size, modified)
		return
	}
	e.mendable(backends.Finding{
		Level: backends.Note, Topic: "tables", What: fmt.Sprintf("%q names %d holders or waiters that have ended", t.Name, dead),
		Means: "nothing: they hold nobody up", Mend: "the next use of the name removes them",
	}, func() error { e.wake = append(e.wake, t.Name); return nil })
}

// damaged looks at a table that is none.
func (e *exam) damaged(s, file string) {
	f := backends.Finding{
		Level: backends.Warning, Topic: "tables", What: fmt.Sprintf("%q is damaged", file),
		Means: "locks hold; waiters may lose their places, and holders of a semaphore their permits; tokens go on from what can be read there and from the clock",
		Mend:  "the next use of the name mends it",
	}
	name, ok := lockdir.NameOf(s)
	if !ok { // a long name: only who knows it can use it
		e.note(f.Level, f.Topic, f.What, f.Means, f.Mend)
		return
	}
	e.mendable(f, func() error { e.wake = append(e.wake, name); return nil })
}

// misnamed looks at a table that speaks of another name.
func (e *exam) misnamed(s string, t *lockdir.Table) {
	e.mendable(backends.Finding{
		Level: backends.Failure, Topic: "tables", What: fmt.Sprintf("%q is the table of another name, %q", s+lockdir.TableEnding, t.Name),
		Means: "uses of the name fail with a mismatch", Mend: "empty it; it is a copy",
	}, func() error {
		if err := e.dir.RaiseFloor(t.Token); err != nil {
			return err
		}
		return e.dir.EmptyTable(s, func(now *lockdir.Table) bool { return lockdir.Stem(now.Name) != s })
	})
}

// clock looks whether tokens are ahead of the clock by more than clocks differ.
func (e *exam) clock(t *lockdir.Table) {
	const much = time.Minute
	ahead := time.UnixMicro(int64(min(t.Token, lockdir.HighestToken))).Sub(e.now)
	if ahead > much {
		e.note(backends.Note, "clock", fmt.Sprintf("the tokens of %q are ahead of the clock by %v", t.Name, ahead.Round(time.Second)),
			"nothing as long as the files are there: they increase by one each time. The clock was set back, or was wrong once", "")
	}
}
