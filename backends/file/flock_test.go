//go:build unix

package file

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"

	"github.com/gofrs/flock"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// flockCommand finds flock(1), or says loudly that it is missing: gofrs/flock then stands in for it.
func flockCommand(t *testing.T) string {
	path, err := exec.LookPath("flock")
	if err != nil {
		t.Skipf("NOT CHECKED: no flock(1) on this machine: %v", err)
	}
	return path
}

// holdByFlock starts flock(1), which holds the lock until its input ends.
func holdByFlock(t *testing.T, how, path string) *proctest.Process {
	p := proctest.Run(t, exec.Command(flockCommand(t), how, path, "sh", "-c", "echo held; read line"))
	p.Expect("held")
	return p
}

// tryFlock reports whether flock(1) could lock the file now.
func tryFlock(t *testing.T, how, path string) bool {
	t.Helper()
	err := exec.Command(flockCommand(t), how, "-n", "-E", "9", path, "true").Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 9 {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func TestFlockCommandExcludesUs(t *testing.T) {
	tests := []struct {
		what, how string
		r         backends.Request
		busy      bool
	}{
		{"exclusive against a mutex", "-x", mutex("db"), true},
		{"shared against a mutex", "-s", mutex("db"), true},
		{"exclusive against a writer", "-x", writer("db"), true},
		{"shared against a writer", "-s", writer("db"), true},
		{"exclusive against a reader", "-x", reader("db"), true},
		{"shared against a reader", "-s", reader("db"), false},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := sleepless(t, dir), sleepless(t, dir)
			p := holdByFlock(t, test.how, dir+"/db.lock")
			if !test.busy {
				g, err := backends.TryAcquire(patient(t), a, test.r)
				if err != nil {
					t.Fatal(err)
				}
				mustRelease(t, a, g)
				return
			}
			mustBeBusy(t, a, test.r)
			first := enqueue(t, a, test.r)
			second := enqueue(t, b, test.r)
			p.CloseInput() // flock(1) ends; the kernel's event wakes the first, and the first the second
			mustRelease(t, a, first.granted())
			mustRelease(t, b, second.granted())
		})
	}
}

// The first in the queue, which watches the lock file, goes away: the next one takes over the watch.
func TestFlockWatchPassesOn(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	p := holdByFlock(t, "-x", dir+"/db.lock")
	first, second := enqueue(t, a, mutex("db")), enqueue(t, b, mutex("db"))
	first.cancel()
	if <-first.done; !errors.Is(first.err, context.Canceled) {
		t.Fatal(first.err)
	}
	p.CloseInput()
	mustRelease(t, b, second.granted())
}

func TestWeExcludeFlockCommand(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	for _, test := range []struct {
		what   string
		r      backends.Request
		shared bool // may be locked at the same time
	}{{"mutex", mutex("m"), false}, {"writer", writer("w"), false}, {"reader", reader("r"), true}} {
		t.Run(test.what, func(t *testing.T) {
			path := dir + "/" + test.r.Name + ".lock"
			g, h := mustAcquire(t, b, test.r), backends.Grant{}
			if test.shared {
				h = mustAcquire(t, b, test.r)
			}
			for range 2 {
				if tryFlock(t, "-x", path) {
					t.Error("flock -x got the lock that we hold")
				}
				if got := tryFlock(t, "-s", path); got != test.shared {
					t.Errorf("flock -s got the lock: %v; want %v", got, test.shared)
				}
				if test.shared && h.Token != 0 {
					mustRelease(t, b, h) // the other reader's lock stays
					h.Token = 0
				}
			}
			mustRelease(t, b, g)
			if !tryFlock(t, "-x", path) {
				t.Error("flock -x did not get the lock that we have released")
			}
		})
	}
}

// A flock(1) that waits in the kernel gets the lock when we release it, and then we wait for it.
func TestFlockCommandWaitsForUs(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	g := mustAcquire(t, b, mutex("db"))
	p := proctest.Run(t, exec.Command(flockCommand(t), dir+"/db.lock", "sh", "-c", "echo held; read line"))
	mustRelease(t, b, g)
	p.Expect("held")
	w := enqueue(t, b, mutex("db"))
	p.Signal(syscall.SIGKILL)
	p.CloseInput() // the shell that it started has inherited the lock and ends with its input
	mustRelease(t, b, w.granted())
}

// The library that others use is excluded as well.
func TestGofrsFlock(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	g := mustAcquire(t, b, mutex("db"))
	l := flock.New(dir + "/db.lock")
	if ok, err := l.TryLock(); ok || err != nil {
		t.Errorf("TryLock = %v, %v; want false", ok, err)
	}
	mustRelease(t, b, g)
	if ok, err := l.TryLock(); !ok || err != nil {
		t.Errorf("TryLock = %v, %v; want true", ok, err)
	}
	w := enqueue(t, b, mutex("db"))
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	mustRelease(t, b, w.granted())
}
