//go:build unix

package file

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// kernelSays reports whether a program that knows nothing of us could lock the file now.
func kernelSays(t *testing.T, path string, mode lockdir.LockMode) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ok, err := lockdir.TryLock(int(f.Fd()), mode)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// The kernel drops a shared lock when it fails to make it exclusive. So readers stay readers, in one process and in two.
func TestReadLockIsNeverUpgradedInPlace(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	g, h := mustAcquire(t, a, reader("db")), mustAcquire(t, b, reader("db"))
	for range 3 {
		mustBeBusy(t, a, writer("db"))
		busyNow(t, a, writer("db"))
		mustBeBusy(t, b, writer("db"))
	}
	w := enqueue(t, a, writer("db"))
	if kernelSays(t, dir+"/db.lock", lockdir.Exclusive) {
		t.Fatal("an attempt to write has dropped the readers' lock")
	}
	mustRelease(t, b, h)
	if kernelSays(t, dir+"/db.lock", lockdir.Exclusive) {
		t.Fatal("the attempt of a reader to write has dropped its own lock")
	}
	mustRelease(t, a, g)
	mustRelease(t, a, w.granted())
	if !kernelSays(t, dir+"/db.lock", lockdir.Exclusive) {
		t.Error("the lock is not free at the end")
	}
}

// An unlock through one descriptor frees the lock for all copies of it. No two clients share one, nor do the grants of
// one client free each other.
func TestReleaseFreesNobodyElse(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	grants := []backends.Grant{mustAcquire(t, a, reader("db")), mustAcquire(t, a, reader("db")), mustAcquire(t, b, reader("db"))}
	for i, g := range grants {
		if kernelSays(t, dir+"/db.lock", lockdir.Exclusive) {
			t.Fatalf("%d of %d readers are left, and the kernel's lock is free", len(grants)-i, len(grants))
		}
		c := a
		if i == 2 {
			c = b
		}
		mustRelease(t, c, g)
	}
	if !kernelSays(t, dir+"/db.lock", lockdir.Exclusive) {
		t.Error("the lock is not free at the end")
	}
}

func threads(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("NOT CHECKED: no /proc on this system: %v", err)
	}
	n, err := strconv.Atoi(string(regexp.MustCompile(`Threads:\s+(\d+)`).FindSubmatch(status)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Waiters sleep in the runtime, not in the kernel: a thread for each would end the process at ten thousand.
func TestWaitersTakeNoThreads(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 200
	}
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	g := mustAcquire(t, a, mutex("db"))
	before := threads(t)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if _, err := backends.Acquire(ctx, b, mutex("db")); !errors.Is(err, context.Canceled) {
				t.Errorf("Acquire: %v", err)
			}
		})
	}
	for waiting, patience := 0, patient(t); waiting < n; waiting = waiters(t, a, "db") {
		if patience.Err() != nil {
			t.Fatalf("%d of %d wait", waiting, n)
		}
	}
	if now := threads(t); now > before+n/10 {
		t.Errorf("%d threads for %d waiters; %d before", now, n, before)
	}
	cancel()
	all.Wait()
	mustRelease(t, a, g)
}

// A lock file that has been in use for a while is known to have its name without looking it up, until something changes; and then
// whatever has happened to it is noticed at once.
func TestNameIsLookedUpAfterAChange(t *testing.T) {
	for what, remove := range lossesOfName {
		t.Run(what, func(t *testing.T) { noticesLossOfName(t, remove) })
	}
}

func noticesLossOfName(t *testing.T, remove func(t *testing.T, dir string) error) {
	for what, tells := range map[string]lockdir.Teller{"the file tells": lockdir.TheFile, "its directory tells": lockdir.ItsParent} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			b := open(t, dir)
			b.timing.coarse = 100 * time.Millisecond
			if b.dir.Tells != lockdir.TheFile && b.dir.Tells != tells { // the directory always does where the file does
				t.Logf("NOT CHECKED: this file system does not tell so (%v)", b.dir.Tells)
				return
			}
			b.dir.Tells = tells
			r := newResource(b, "db", "db")
			defer r.kernel.close()
			lock := func() {
				t.Helper()
				if ok, err := r.tryKernel(lockdir.Exclusive); !ok || err != nil {
					t.Fatalf("tryKernel: %v, %v", ok, err)
				}
			}
			lock()
			if !r.kernel.changed.IsZero() {
				t.Fatal("a file that was created just now is taken for unchanged: the next change may bear the same time")
			}
			for end := patient(t); r.kernel.changed.IsZero(); lock() {
				if b.dir.ChangeTime(r.kernel.fd).IsZero() {
					t.Log("NOT CHECKED: this file system counts in seconds")
					break
				}
				if end.Err() != nil {
					t.Fatal("the name is looked up each time")
				}
			}
			if err := remove(t, dir); err != nil {
				t.Fatal(err)
			}
			if lock(); kernelSays(t, dir+"/db.lock", lockdir.Exclusive) {
				t.Error("the file that has the name now is not locked")
			}
		})
	}
}

// A change that leaves the file its name costs a look, and nothing else.
func TestTouchedLockFileKeepsItsName(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	for range 3 {
		g := mustAcquire(t, b, mutex("db"))
		if err := os.Chmod(dir+"/db.lock", 0o600); err != nil {
			t.Fatal(err)
		}
		mustRelease(t, b, g)
	}
}
