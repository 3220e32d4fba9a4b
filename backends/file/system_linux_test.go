package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// mount gives the test a small file system of its own. That takes root; false: it says so.
func mount(t *testing.T, options string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("lockkeeper", dir, "tmpfs", 0, options); err != nil {
		t.Logf("NOT CHECKED: no file system of its own for this test, that takes root: %v", err)
		return "", false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir, true
}

func TestFullDisk(t *testing.T) {
	for what, options := range map[string]string{"no blocks": "size=64k,mode=700", "no inodes": "nr_inodes=8,mode=700"} {
		t.Run(what, func(t *testing.T) {
			dir, ok := mount(t, options)
			if !ok {
				return
			}
			a, b := sleepless(t, dir), sleepless(t, dir)
			g := mustAcquire(t, a, mutex("db"))
			fill(t, dir)
			for range 2 {
				_, err := backends.Acquire(patient(t), b, mutex("new"))
				if !errors.Is(err, backends.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("Acquire of a new name: %v; want ErrUnavailable and ENOSPC", err)
				}
				_, err = backends.TryAcquire(patient(t), b, permits("new", 1, 2))
				if !errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrBusy) {
					t.Errorf("TryAcquire of a new name: %v; want ErrUnavailable", err)
				}
			}
			mustBeBusy(t, b, mutex("db"))
			w := enqueue(t, b, mutex("db")) // names that have their files go on
			mustRelease(t, a, g)
			if h := w.granted(); h.Token <= g.Token {
				t.Errorf("token %d after %d", h.Token, g.Token)
			} else {
				mustRelease(t, b, h)
			}
			if err := os.RemoveAll(filepath.Join(dir, "filler")); err != nil {
				t.Fatal(err)
			}
			mustRelease(t, a, mustAcquire(t, a, mutex("new"))) // nothing of the failed ones is in the way
			mustRelease(t, b, mustAcquire(t, b, permits("new", 2, 2)))
		})
	}
}

// fill uses up what the file system has.
func fill(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "filler"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		err := os.WriteFile(filepath.Join(dir, "filler", string(rune('a'+i))), make([]byte, 4096), 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the file system does not get full")
}

func TestReadOnlyFileSystem(t *testing.T) {
	dir, ok := mount(t, "mode=700")
	if !ok {
		return
	}
	b := open(t, dir)
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(dir+"/db"+lockdir.LockEnding, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if ok, err := lockdir.TryLock(int(f.Fd()), lockdir.Exclusive); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if s := listed(t, dir); len(s) != 1 || len(s["db"].Holders) != 1 {
		t.Errorf("looking at a read-only file system: %+v; want one holder", s)
	}
	for _, path := range []string{dir, dir + "/not/there"} {
		if fs := mustCheck(t, path); len(fs) != 1 || fs[0].Level != backends.Failure || !strings.Contains(fs[0].What, "read-only") {
			t.Errorf("Check of %s: %+v; want one failure that says read-only", path, fs)
		}
	}
	if _, err := New(dir); !errors.Is(err, backends.ErrUnavailable) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("New on a read-only file system: %v; want ErrUnavailable and EROFS", err)
	}
}

// Two files whose names are exchanged have both lost theirs, although the file system may not note it in either.
func TestNamesExchanged(t *testing.T) {
	exchange := func(_ *testing.T, dir string) error {
		other := dir + "/other"
		if err := os.WriteFile(other, nil, 0o600); err != nil {
			return err
		}
		return unix.Renameat2(unix.AT_FDCWD, other, unix.AT_FDCWD, dir+"/db.lock", unix.RENAME_EXCHANGE)
	}
	holderIsToldOfLossOfName(t, exchange)
	noticesLossOfName(t, exchange)
}

// Tables on a full disk: nothing may be granted whose token could not be written.
func TestNoGrantWithoutToken(t *testing.T) {
	dir, ok := mount(t, "size=64k,mode=700")
	if !ok {
		return
	}
	b := sleepless(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "db.table"), nil, 0o600); err != nil { // has no block yet
		t.Fatal(err)
	}
	fill(t, dir)
	if g, err := backends.Acquire(patient(t), b, mutex("db")); !errors.Is(err, backends.ErrUnavailable) {
		t.Fatalf("Acquire = %+v, %v; want ErrUnavailable", g, err)
	}
	if ok, err := tryFile(filepath.Join(dir, "db.lock")); !ok || err != nil {
		t.Errorf("the kernel's lock stays after a failed grant: %v, %v", ok, err)
	}
}

// With WithSync a grant waits until the disk has its token, and refuses where that fails. A descriptor that is only a path
// (O_PATH) does for everything but for flushing the names in it.
func TestNoGrantWithoutFlush(t *testing.T) {
	for what, opts := range map[string][]Option{"with": {WithSync()}, "without": nil} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			b := open(t, dir, opts...)
			lockdir.CloseFile(b.dir.FD)
			fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			b.dir.FD = fd
			g, err := backends.Acquire(patient(t), b, mutex("db"))
			switch {
			case opts == nil && err != nil:
				t.Errorf("Acquire: %v", err)
			case opts == nil:
				mustRelease(t, b, g)
			case !errors.Is(err, backends.ErrUnavailable) || !errors.Is(err, syscall.EBADF):
				t.Errorf("Acquire = %+v, %v; want ErrUnavailable and EBADF", g, err)
			}
		})
	}
}

func TestRemoteFileSystems(t *testing.T) {
	d, err := lockdir.OpenStore(t.TempDir()+"/locks", false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if name := lockdir.Remote(d.FD); name != "" {
		t.Errorf("the directory is on %s", name)
	}
	lockdir.RemoteTypes[statfsType(t, d.FD)] = "a file system from afar"
	defer delete(lockdir.RemoteTypes, statfsType(t, d.FD))
	if _, err := New(d.Path); !errors.Is(err, backends.ErrUnsupported) {
		t.Errorf("New = %v; want ErrUnsupported", err)
	}
	b := open(t, d.Path, WithAnyFileSystem())
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))
}

func statfsType(t *testing.T, fd int) int64 {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Type) & 0xffffffff //nolint:unconvert // its type differs between architectures
}

func TestProcessStart(t *testing.T) {
	if age := time.Since(lockdir.ProcessStart()); age < 0 || age > time.Hour {
		t.Errorf("this process began %v ago", age)
	}
}

// Without file events a holder learns of a removed file, and a waiter of a lock that others have freed, by looking.
func TestWithoutFileEvents(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := open(t, dir)
	b.watcher.tried = true // and failed
	b.timing.net = 10 * time.Millisecond
	p := holdByFlock(t, "-x", dir+"/db.lock")
	w := enqueue(t, b, mutex("db"))
	p.CloseInput()
	mustRelease(t, b, w.granted())
	r, lost := watched(mutex("db"))
	g := mustAcquire(t, b, r)
	if err := os.Remove(dir + "/db.lock"); err != nil {
		t.Fatal(err)
	}
	lost.expect(t, g, backends.BackendLost)
}

// In a sticky directory the kernel can refuse O_CREAT for a file of another user that exists, even to root. Files that
// exist are opened without it.
func TestExistingFilesAreOpenedWithoutCreating(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT CHECKED: a file of another user; that takes root")
	}
	dir := t.TempDir()
	path := dir + "/db.lock"
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chown(path, otherUser, otherUser), os.Chmod(path, 0o666), os.Chmod(dir, 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	protectRegular(t)
	if f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		_ = f.Close()
		t.Log("NOT CHECKED: the kernel does not refuse O_CREAT here")
	}
	fd, _, err := lockdir.OpenRegular(lockdir.ByPath, path, true)
	if err != nil {
		t.Fatalf("a file that exists: %v", err)
	}
	lockdir.CloseFile(fd)
}

// protectRegular has the kernel refuse O_CREAT for files of others in sticky directories, until the end of the test, if the
// system can be told to.
func protectRegular(t *testing.T) {
	t.Helper()
	const file, on = "/proc/sys/fs/protected_regular", "2\n"
	was, err := os.ReadFile(file)
	if err == nil && string(was) != on {
		err = os.WriteFile(file, []byte(on), 0o644)              //nolint:gosec // it exists
		t.Cleanup(func() { _ = os.WriteFile(file, was, 0o644) }) //nolint:gosec // likewise
	}
	if err != nil {
		t.Logf("fs.protected_regular is %q and cannot be set: %v", was, err)
	}
}

// On an overlay, as in a container, a file of a lower layer is another file once somebody has written to it. Locks and tokens go on
// all the same, as files are opened for writing from the start.
func TestOverlay(t *testing.T) {
	base, ok := mount(t, "mode=700")
	if !ok {
		return
	}
	for _, dir := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	below := open(t, filepath.Join(base, "lower", "locks"))
	old := mustAcquire(t, below, mutex("db"))
	mustRelease(t, below, old)
	if err := below.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	merged := filepath.Join(base, "merged")
	layers := "lowerdir=" + base + "/lower,upperdir=" + base + "/upper,workdir=" + base + "/work"
	if err := syscall.Mount("overlay", merged, "overlay", 0, layers); err != nil {
		t.Logf("NOT CHECKED: this kernel has no overlays for us: %v", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(merged, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	dir := filepath.Join(merged, "locks")
	a, b := sleepless(t, dir), startClient(t, dir)
	r, lost := watched(mutex("db"))
	g := mustAcquire(t, a, r)
	if g.Token <= old.Token {
		t.Errorf("token %d after %d of the lower layer", g.Token, old.Token)
	}
	mustBeBusy(t, b, mutex("db"))
	if kernelSays(t, dir+"/db.lock", lockdir.Shared) {
		t.Error("the kernel's lock is free while the mutex is held")
	}
	w := enqueue(t, b, mutex("db"))
	if err := os.Remove(dir + "/db.lock"); err != nil {
		t.Fatal(err)
	}
	lost.expect(t, g, backends.BackendLost)
	if h := w.granted(); h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	p := mustAcquire(t, a, permits("permits", 2, 2))
	v := enqueue(t, b, permits("permits", 1, 2))
	mustRelease(t, a, p)
	v.granted()
}
