//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// lostBox is a Notify that waits for the loss of a grant.
type lostBox chan backends.Event

func (l lostBox) notify(e backends.Event) {
	if e.Type == backends.Lost {
		l <- e
	}
}

// expect waits for the loss and checks what it says.
func (l lostBox) expect(t *testing.T, g backends.Grant, reason backends.LostReason) {
	t.Helper()
	select {
	case e := <-l:
		var lost *backends.LostError
		if e.Grant != g.ID || !errors.As(e.Err, &lost) || lost.Reason != reason || lost.Token != g.Token {
			t.Errorf("event %+v; want the loss of %v, %s", e, g.ID, reason)
		}
	case <-patient(t).Done():
		t.Fatal("the holder does not learn that its grant is lost")
	}
}

func watched(r backends.Request) (backends.Request, lostBox) {
	l := make(lostBox, 8)
	r.Notify = l.notify
	return r, l
}

// lossesOfName take the lock file of db away.
var lossesOfName = map[string]func(t *testing.T, dir string) error{
	"unlink":      func(_ *testing.T, dir string) error { return os.Remove(dir + "/db.lock") },
	"rename away": func(_ *testing.T, dir string) error { return os.Rename(dir+"/db.lock", dir+"/x") },
	"rename over": func(t *testing.T, dir string) error {
		other := filepath.Join(t.TempDir(), "other")
		if err := os.WriteFile(other, nil, 0o600); err != nil {
			return err
		}
		return os.Rename(other, dir+"/db.lock")
	},
}

// Who holds a lock whose file has gone is told, and the lock works again with a new file.
func TestLockFileRemovedUnderHolder(t *testing.T) {
	for what, remove := range lossesOfName {
		t.Run(what, func(t *testing.T) { holderIsToldOfLossOfName(t, remove) })
	}
}

func holderIsToldOfLossOfName(t *testing.T, remove func(t *testing.T, dir string) error) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	r, lost := watched(mutex("db"))
	g := mustAcquire(t, a, r)
	w := enqueue(t, b, mutex("db"))
	if err := remove(t, dir); err != nil {
		t.Fatal(err)
	}
	lost.expect(t, g, backends.BackendLost)
	h := w.granted()
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	if err := backends.Release(patient(t), a, g); !errors.Is(err, backends.ErrLost) {
		t.Errorf("Release of the lost grant: %v; want ErrLost", err)
	}
	if ok, err := tryFile(dir + "/db.lock"); ok || err != nil {
		t.Errorf("the new file could be locked (%v, %v) although a grant rests on it", ok, err)
	}
	mustRelease(t, b, h)
}

// tryFile reports whether the file could be locked.
func tryFile(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return lockdir.TryLock(int(f.Fd()), lockdir.Exclusive)
}

// A lock file that was removed while nobody held it, but had it open, is noticed before the next grant.
func TestLockFileRemovedBetweenUses(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	g := mustAcquire(t, b, mutex("db"))
	mustRelease(t, b, g)
	if err := os.Remove(dir + "/db.lock"); err != nil {
		t.Fatal(err)
	}
	h := mustAcquire(t, b, mutex("db"))
	if ok, err := tryFile(dir + "/db.lock"); ok || err != nil {
		t.Errorf("the new file could be locked: %v, %v", ok, err)
	}
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	mustRelease(t, b, h)
}

// Without its table a mutex loses its queue's order, not its holder; permits of a semaphore are lost.
func TestTableRemoved(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	r, lost := watched(mutex("db"))
	g := mustAcquire(t, a, r)
	w := enqueue(t, b, mutex("db"))
	s, lostPermit := watched(permits("permits", 1, 1))
	p := mustAcquire(t, a, s)
	for _, file := range []string{"/db.table", "/permits.table"} {
		if err := os.Remove(dir + file); err != nil {
			t.Fatal(err)
		}
	}
	lostPermit.expect(t, p, backends.BackendLost)
	mustRelease(t, b, mustAcquire(t, b, permits("permits", 1, 1)))
	mustBeBusy(t, b, mutex("db"))
	mustRelease(t, a, g)
	h := w.granted()
	if h.Token <= g.Token || len(lost) > 0 {
		t.Errorf("token %d after %d; %d losses", h.Token, g.Token, len(lost))
	}
	mustRelease(t, b, h)
}

// A semaphore has nothing but its table. If that is damaged or emptied another may get the permit; then its holder is told.
func TestDamagedTableOfASemaphore(t *testing.T) {
	for what, content := range map[string]string{"empty": "", "cut": "loc", "foreign": "#!/bin/sh\nexit 1\n"} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := sleepless(t, dir), sleepless(t, dir)
			a.timing.linger = time.Hour // it does not look by itself
			r, lost := watched(permits("db", 1, 1))
			g := mustAcquire(t, a, r)
			if err := os.WriteFile(dir+"/db.table", []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			h := mustAcquire(t, b, permits("db", 1, 1))
			if h.Token <= g.Token {
				t.Errorf("token %d after %d", h.Token, g.Token)
			}
			lost.expect(t, g, backends.BackendLost)
			mustRelease(t, b, h)
		})
	}
}

// What lies in the place of our files is not followed, not opened for ever, and not touched.
func TestForeignFiles(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	for what, plant := range map[string]func(path string) error{
		"link to nothing": func(path string) error { return os.Symlink(victim, path) },
		"link to a file":  func(path string) error { return os.Symlink("/etc/hosts", path) },
		"FIFO":            func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory":       func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		for _, ending := range []string{lockdir.LockEnding, lockdir.TableEnding} {
			t.Run(what+ending, func(t *testing.T) {
				dir := t.TempDir() + "/locks"
				b := sleepless(t, dir)
				if err := plant(dir + "/db" + ending); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if _, err := backends.Acquire(patient(t), b, mutex("db")); !errors.Is(err, backends.ErrPermission) || errors.Is(err, backends.ErrUnavailable) {
						t.Errorf("Acquire: %v; want ErrPermission", err)
					}
					if _, err := backends.TryAcquire(patient(t), b, writer("db")); !errors.Is(err, backends.ErrPermission) {
						t.Errorf("TryAcquire: %v; want ErrPermission", err)
					}
				}
				if _, err := os.Lstat(victim); err == nil {
					t.Error("the link was followed")
				}
				mustRelease(t, b, mustAcquire(t, b, mutex("other")))
				for s, err := range b.List(patient(t)) {
					t.Errorf("List: %+v, %v", s, err)
				}
				if err := os.RemoveAll(dir + "/db" + ending); err != nil {
					t.Fatal(err)
				}
				mustRelease(t, b, mustAcquire(t, b, mutex("db")))
			})
		}
	}
}

// Two names of one file would be one lock, and one table.
func TestHardLinksAreRefused(t *testing.T) {
	for _, ending := range []string{lockdir.LockEnding, lockdir.TableEnding} {
		for _, outside := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, other name outside: %v", ending, outside), func(t *testing.T) {
				dir := t.TempDir() + "/locks"
				b := sleepless(t, dir)
				g := mustAcquire(t, b, mutex("a"))
				other := dir + "/db" + ending
				if outside {
					other = dir + "/../copy"
				}
				if err := os.Link(dir+"/a"+ending, other); err != nil {
					t.Fatal(err)
				}
				fresh := sleepless(t, dir)
				name := map[bool]string{false: "db", true: "a"}[outside]
				for _, kind := range []backends.Request{mutex(name), writer(name), permits(name, 1, 1)} {
					if ending == lockdir.LockEnding && (kind.Kind == backends.Semaphore || outside) {
						continue // a semaphore has no lock file, and the name outside is in use
					}
					if _, err := backends.TryAcquire(patient(t), fresh, kind); !errors.Is(err, backends.ErrPermission) {
						t.Errorf("TryAcquire = %v; want ErrPermission", err)
					}
					if _, err := backends.Acquire(patient(t), fresh, kind); !errors.Is(err, backends.ErrPermission) {
						t.Errorf("Acquire = %v; want ErrPermission", err)
					}
				}
				mustRelease(t, b, g) // its files are open
				if err := os.Remove(other); err != nil {
					t.Fatal(err)
				}
				mustRelease(t, fresh, mustAcquire(t, fresh, mutex("a")))
				mustRelease(t, fresh, mustAcquire(t, fresh, mutex("db")))
			})
		}
	}
}

// frugal is the helper with few descriptors. It holds some names and uses many others, one after
// the other.
func frugal(c *proctest.Child) error {
	ctx := context.Background()
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	b.timing.linger = time.Hour // only the lack of descriptors closes files
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	var held []backends.Grant
	for i, r := range []backends.Request{mutex("held"), writer("held too"), reader("read"), permits("permits", 2, 3)} {
		g, err := backends.Acquire(ctx, b, r)
		if err != nil {
			return fmt.Errorf("held %d: %w", i, err)
		}
		held = append(held, g)
	}
	for i := range 200 {
		use := []backends.Request{mutex(fmt.Sprint(i)), writer(fmt.Sprint(i)), permits(fmt.Sprint(i), 1, 1)}[i%3]
		acquire := backends.Acquire
		if i%2 == 1 {
			acquire = backends.TryAcquire
		}
		g, err := acquire(ctx, b, use)
		if err == nil {
			err = backends.Release(ctx, b, g)
		}
		if err != nil {
			return fmt.Errorf("name %d: %w", i, err)
		}
	}
	for _, g := range held {
		if a := b.Renew(ctx, []backends.Renewal{{Grant: g}}); a[0].Err != nil {
			return a[0].Err
		}
		err = errors.Join(err, backends.Release(ctx, b, g))
	}
	return errors.Join(err, b.Close(ctx))
}

func TestIdleNamesGiveTheirDescriptorsBackWhenNoneAreLeft(t *testing.T) {
	p := proctest.Start(t, "frugal", t.TempDir()+"/locks")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// starved is the helper that runs out of descriptors.
func starved(c *proctest.Child) error {
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	ctx := context.Background()
	g, err := backends.Acquire(ctx, b, mutex("held"))
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	var filler []*os.File
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		filler = append(filler, f)
	}
	for range 3 {
		for _, acquire := range []func(context.Context, backends.Backend, backends.Request) (backends.Grant, error){backends.Acquire, backends.TryAcquire} {
			if _, err := acquire(ctx, b, mutex("another")); !errors.Is(err, backends.ErrUnavailable) || !errors.Is(err, syscall.EMFILE) {
				return fmt.Errorf("acquire without descriptors: %w; want ErrUnavailable and EMFILE", err)
			}
		}
	}
	if a := b.Renew(ctx, []backends.Renewal{{Grant: g, Tokens: 1}}); a[0].Err != nil {
		return a[0].Err
	}
	if err := backends.Release(ctx, b, g); err != nil {
		return err
	}
	for _, f := range filler {
		_ = f.Close()
	}
	if g, err = backends.Acquire(ctx, b, mutex("another")); err != nil {
		return err
	}
	return errors.Join(backends.Release(ctx, b, g), b.Close(ctx))
}

func TestNoDescriptorsLeft(t *testing.T) {
	p := proctest.Start(t, "starved", t.TempDir()+"/locks")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// Neither uses that are over nor acquires that were cancelled leave an open file or a file that was not there.
func TestNothingStaysOpen(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	mustRelease(t, a, mustAcquire(t, a, mutex("db")))
	count := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Logf("NOT CHECKED: open files: %v", err)
		}
		return len(files)
	}
	before := count()
	g := mustAcquire(t, a, mutex("db"))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 20 {
				ctx, cancel := context.WithCancel(context.Background())
				go cancel()
				if _, err := backends.Acquire(ctx, b, mutex("db")); !errors.Is(err, context.Canceled) {
					t.Errorf("Acquire: %v", err)
				}
			}
		})
	}
	all.Wait()
	if n := waiters(t, b, "db"); n != 0 {
		t.Errorf("%d waiters are left", n)
	}
	mustRelease(t, a, g)
	for i := range 200 {
		mustRelease(t, b, mustAcquire(t, b, mutex(fmt.Sprint(i))))
	}
	ctx := patient(t)
	for live(a)+live(b) > 0 { // they retire soon
		if ctx.Err() != nil {
			t.Fatalf("%d resources are still live", live(a)+live(b))
		}
	}
	if after := count(); after > before+1 { // an inotify instance may have come
		t.Errorf("%d open files; %d before", after, before)
	}
}
