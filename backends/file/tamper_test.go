//go:build unix

package file

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// The files of the name db and of its users.
const (
	theLock   = "lock"
	theTable  = "table"
	theInbox  = "inbox" // of the holder
	theFolder = "folder of inboxes"
)

var tampered = []string{theLock, theTable, theInbox, theFolder}

// tampers are the changes to a file: each leaves another file of the same type, or none.
var tampers = map[string]func(path string, info os.FileInfo) error{
	"removed":  func(path string, _ os.FileInfo) error { return os.RemoveAll(path) },
	"moved":    func(path string, _ os.FileInfo) error { return os.Rename(path, path+".moved") },
	"replaced": replaceFile,
	"truncated": func(path string, info os.FileInfo) error {
		if info.Mode().IsRegular() {
			return os.Truncate(path, 0)
		}
		return nil // a FIFO is always empty
	},
}

func replaceFile(path string, info os.FileInfo) error {
	if err := os.Rename(path, path+".moved"); err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return os.Mkdir(path, 0o700)
	case info.Mode()&os.ModeNamedPipe != 0:
		return syscall.Mkfifo(path, 0o600)
	}
	return os.WriteFile(path, nil, 0o600)
}

// tampering is a case: a change to some files, at a moment in the use of a kind of lock.
type tampering struct {
	what, moment, kind string
	files              []string
	hold, next         backends.Request
}

func (c tampering) String() string {
	return fmt.Sprintf("%s, %s, %s %s", c.kind, c.moment, strings.Join(c.files, " and "), c.what)
}

func (c tampering) has(file string) bool { return strings.Contains(strings.Join(c.files, " "), file) }

// do tampers with the files of the case; with the folder last, since the others may be in it.
func (c tampering) do(dir string, holder *Backend) error {
	paths := map[string]string{
		theLock: dir + "/db" + lockdir.LockEnding, theTable: dir + "/db" + lockdir.TableEnding,
		theInbox: dir + "/" + holder.dir.InboxOf(holder.id), theFolder: dir + "/" + lockdir.ClientsName,
	}
	for _, file := range c.files {
		info, err := os.Lstat(paths[file])
		if errors.Is(err, os.ErrNotExist) {
			continue // a semaphore has no lock file
		}
		if err == nil {
			err = tampers[c.what](paths[file], info)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) { // a client was faster
			return err
		}
	}
	return nil
}

// tamperings returns every change to every subset of the files, at every moment, for every kind.
func tamperings() (all []tampering) {
	for subset := 1; subset < 1<<len(tampered); subset++ {
		var files []string
		for i, file := range tampered {
			if subset&(1<<i) != 0 {
				files = append(files, file)
			}
		}
		for what := range tampers {
			for _, moment := range []string{"held", "waited for", "handed over"} {
				for kind, r := range map[string][2]backends.Request{
					"mutex": {mutex("db"), mutex("db")}, "reader": {reader("db"), writer("db")}, "writer": {writer("db"), writer("db")},
					"semaphore": {permits("db", 1, 1), permits("db", 1, 1)},
				} {
					all = append(all, tampering{what: what, moment: moment, kind: kind, files: files, hold: r[0], next: r[1]})
				}
			}
		}
	}
	return all
}

// Whatever happens to the files of a name, every waiter and every newcomer is granted in the end,
// tokens increase, nothing stays held, and a holder is told if another client may hold its lock. A
// mutex or reader-writer lock whose lock file is untouched is never lost.
func TestFilesTamperedWith(t *testing.T) {
	cases := tamperings()
	if testing.Short() {
		const part = 6
		for i := range len(cases) / part {
			cases[i] = cases[i*part]
		}
		cases = cases[:len(cases)/part]
	}
	const atOnce = 16
	todo := make(chan tampering)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for c := range todo {
				t.Run(c.String(), c.check)
			}
		})
	}
	for _, c := range cases {
		todo <- c
	}
	close(todo)
	all.Wait()
}

func (c tampering) check(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b, newcomer := open(t, dir), open(t, dir), open(t, dir)
	r, lost := watched(c.hold)
	g := mustAcquire(t, a, r)
	var w *waiterOf
	if c.moment != "held" {
		w = enqueue(t, b, c.next)
	}
	released := make(chan error, 1)
	if c.moment == "handed over" {
		go func() { released <- backends.Release(patient(t), a, g) }()
	}
	if err := c.do(dir, a); err != nil {
		t.Fatal(err)
	}
	if c.moment != "handed over" {
		c.holds(t, newcomer, g, lost)
		released <- backends.Release(patient(t), a, g)
	}
	if err := <-released; err != nil && (!errors.Is(err, backends.ErrLost) || c.safe()) {
		t.Errorf("Release: %v", err)
	}
	if c.safe() && len(lost) > 0 {
		t.Errorf("the holder was told: %+v", <-lost)
	}
	last := g.Token
	if w != nil {
		h := w.granted()
		if h.Token <= last {
			t.Errorf("token %d after %d", h.Token, last)
		}
		last = h.Token
		if err := backends.Release(patient(t), b, h); err != nil && (!errors.Is(err, backends.ErrLost) || !c.endsNext()) {
			t.Errorf("Release by the next: %v", err)
		}
	}
	for _, client := range []*Backend{newcomer, a, b} {
		h := mustAcquire(t, client, c.next)
		if h.Token <= last {
			t.Errorf("token %d after %d", h.Token, last)
		}
		last = h.Token
		mustRelease(t, client, h)
	}
}

// safe reports whether the holder must not lose what it holds.
func (c tampering) safe() bool {
	return lockdir.OnKernel(c.hold.Kind) && (c.what == "truncated" || !c.has(theLock))
}

// endsNext reports whether the waiter may have been granted during the tampering, and lose by it what
// it got.
func (c tampering) endsNext() bool {
	return !lockdir.OnKernel(c.next.Kind) || c.moment == "handed over" && !c.safe()
}

// holds checks that no newcomer is granted beside the grant, which has not been released.
func (c tampering) holds(t *testing.T, newcomer *Backend, g backends.Grant, lost lostBox) {
	h, err := backends.TryAcquire(patient(t), newcomer, c.next)
	switch {
	case errors.Is(err, backends.ErrBusy):
		if lockdir.OnKernel(c.hold.Kind) && !c.safe() { // the lock is free, or the waiter has it
			lost.expect(t, g, backends.BackendLost)
		}
	case err != nil:
		t.Errorf("TryAcquire: %v; want a grant or ErrBusy", err)
	case c.safe():
		t.Fatal("granted beside the holder")
	default:
		lost.expect(t, g, backends.BackendLost)
		if h.Token <= g.Token {
			t.Errorf("token %d after %d", h.Token, g.Token)
		}
		mustRelease(t, newcomer, h)
	}
}

// A copy of a directory is another directory: it has no holders and no waiters, and tokens go on.
func TestCopiedDirectory(t *testing.T) {
	if _, err := exec.LookPath("cp"); err != nil {
		t.Skip("NOT CHECKED: a copy; there is no cp")
	}
	dir := t.TempDir() + "/locks"
	a := open(t, dir)
	requests := []backends.Request{mutex("mutex"), writer("writer"), reader("reader"), permits("permits", 1, 1)}
	var held []backends.Grant
	for _, r := range requests {
		held = append(held, mustAcquire(t, a, r))
	}
	w := enqueue(t, open(t, dir), requests[0])
	copied := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-a", dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	b := open(t, copied)
	for s, err := range b.List(patient(t)) {
		t.Errorf("List of the copy: %+v, %v; want nothing", s, err)
	}
	for i, r := range requests {
		r.Weight = r.Capacity
		g, err := backends.TryAcquire(patient(t), b, r)
		if err != nil || g.Token <= held[i].Token {
			t.Fatalf("in the copy: %+v, %v; want a token above %d", g, err, held[i].Token)
		}
		mustRelease(t, a, held[i])
		mustRelease(t, b, g)
	}
	h := w.granted()
	if h.Token <= held[0].Token {
		t.Errorf("token %d after %d", h.Token, held[0].Token)
	}
}

// A holder that went on in a table that was moved away, and then finds the new table, keeps its
// lock, since it has the kernel's. A line that an earlier holder left in the new table changes
// nothing.
func TestAHolderKeepsItsLockDespiteALeftoverLine(t *testing.T) {
	for what, r := range map[string]backends.Request{"mutex": mutex("db"), "reader": reader("db"), "writer": writer("db")} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := sleepless(t, dir), sleepless(t, dir)
			a.timing.linger, b.timing.linger = time.Hour, time.Hour // only the test makes them look
			mustRelease(t, a, mustAcquire(t, a, r))
			if err := os.Rename(dir+"/db"+lockdir.TableEnding, dir+"/moved"); err != nil {
				t.Fatal(err)
			}
			mustRelease(t, b, mustAcquire(t, b, writer("db"))) // leaves a line in the new table
			watching, lost := watched(r)
			g := mustAcquire(t, a, watching) // in the old one
			a.tellAll(message{verb: verify})
			if s, err := a.Inspect(patient(t), "db"); err != nil || len(s.Holders) != 1 || s.Holders[0].ID != g.ID || len(lost) > 0 {
				t.Errorf("after a look: %+v, %v, %d losses; want the holder to hold", s, err, len(lost))
			}
			mustRelease(t, a, g)
			mustRelease(t, b, mustAcquire(t, b, mutex("db")))
		})
	}
}
