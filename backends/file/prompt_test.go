//go:build unix

package file

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

// warm opens the files of a name, as its first use does.
func warm(t *testing.T, b *Backend, r backends.Request) {
	t.Helper()
	mustRelease(t, b, mustAcquire(t, b, r))
}

// grantedNow acquires by TryAcquireNow, and releasedNow releases by ReleaseNow. Both try again where
// the client declines: the other one may be at the table, or the files may have been idle for too long.
func grantedNow(t *testing.T, b *Backend, r backends.Request) backends.Grant {
	t.Helper()
	for ctx := patient(t); ctx.Err() == nil; warm(t, b, r) {
		if g, ok := b.TryAcquireNow(r); ok {
			return g
		}
	}
	t.Fatal("TryAcquireNow refused a free resource")
	return backends.Grant{}
}

func releasedNow(t *testing.T, b *Backend, g backends.Grant) {
	t.Helper()
	for ctx := patient(t); ctx.Err() == nil; runtime.Gosched() {
		if ok, err := b.ReleaseNow(g); ok {
			if err != nil {
				t.Fatalf("ReleaseNow: %v", err)
			}
			return
		}
	}
	t.Fatal("ReleaseNow always declined")
}

func mustNotGrantNow(t *testing.T, b *Backend, r backends.Request) {
	t.Helper()
	if g, ok := b.TryAcquireNow(r); ok {
		t.Fatalf("TryAcquireNow = %+v; want nothing", g)
	}
}

func TestPromptGrantsExcludeAndCountOn(t *testing.T) {
	for what, r := range map[string]backends.Request{
		"mutex": mutex("db"), "reader": reader("db"), "writer": writer("db"), "semaphore": permits("db", 2, 3),
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			a, b := sleepless(t, dir), sleepless(t, dir)
			all := r
			all.Weight = all.Capacity
			mustNotGrantNow(t, a, r) // it has no files open
			warm(t, a, r)
			warm(t, b, r)
			var last uint64
			for range 20 {
				g := grantedNow(t, a, r)
				if g.Token <= last {
					t.Fatalf("token %d after %d", g.Token, last)
				}
				last = g.Token
				mustNotGrantNow(t, b, all)
				mustBeBusy(t, b, all)
				if ok, err := b.ReleaseNow(g); ok && !errors.Is(err, backends.ErrLost) {
					t.Errorf("ReleaseNow of another's grant: %v", err)
				}
				releasedNow(t, a, g)
				if ok, err := a.ReleaseNow(g); ok && !errors.Is(err, backends.ErrLost) {
					t.Fatalf("a second ReleaseNow = %v, %v; want ErrLost", ok, err)
				}
			}
			g := mustAcquire(t, b, all) // nothing was left
			if g.Token <= last {
				t.Errorf("token %d after %d", g.Token, last)
			}
			mustRelease(t, b, g)
		})
	}
}

// A prompt release wakes whoever waits, and a prompt try does not overtake it.
func TestPromptKeepsTheQueue(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	for _, r := range []backends.Request{mutex("db"), permits("permits", 1, 1)} {
		warm(t, a, r)
		g := grantedNow(t, a, r)
		w := enqueue(t, b, r)
		mustNotGrantNow(t, a, r)
		if ok, err := a.ReleaseNow(g); err != nil {
			t.Fatal(err)
		} else if !ok { // the other one was looking at the table
			mustRelease(t, a, g)
		}
		mustRelease(t, b, w.granted())
	}
}

// Where another process has the table locked, nothing is done and nobody waits.
func TestPromptNeverWaits(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	warm(t, b, mutex("db"))
	warm(t, b, permits("permits", 1, 1))
	g := grantedNow(t, b, permits("permits", 1, 1))
	for _, name := range []string{"db", "permits"} {
		stuck, err := os.OpenFile(dir+"/"+name+tableEnding, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer stuck.Close()
		if ok, err := tryLock(int(stuck.Fd()), exclusive); !ok || err != nil {
			t.Fatalf("the table could not be locked: %v, %v", ok, err)
		}
	}
	mustNotGrantNow(t, b, mutex("db"))
	if ok, err := b.ReleaseNow(g); ok {
		t.Errorf("ReleaseNow = %v, %v; want nothing", ok, err)
	}
}

func TestPromptWithReplacedFiles(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	for _, ending := range []string{tableEnding, lockEnding} {
		for _, r := range []backends.Request{mutex("db"), permits("permits", 1, 1)} {
			warm(t, b, r)
			if err := os.Remove(dir + "/" + r.Name + ending); err != nil {
				continue // a semaphore has no lock file
			}
			if g, ok := b.TryAcquireNow(r); ok {
				mustRelease(t, b, g)
			}
			warm(t, b, r)
			if _, err := os.Stat(dir + "/" + r.Name + ending); err != nil && r.Kind == backends.Semaphore {
				t.Errorf("in use without its file: %v", err)
			}
		}
	}
}

// A call that may take as long as a disk or a server is not made in another actor's turn.
func TestNothingIsPromptOnASlowStore(t *testing.T) {
	for what, opt := range map[string]Option{"sync": WithSync(), "any file system": WithAnyFileSystem()} {
		t.Run(what, func(t *testing.T) {
			b := sleepless(t, t.TempDir()+"/locks", opt)
			g := mustAcquire(t, b, mutex("db"))
			if ok, err := b.ReleaseNow(g); ok {
				t.Errorf("ReleaseNow = %v, %v; want nothing", ok, err)
			}
			mustRelease(t, b, g)
			mustNotGrantNow(t, b, mutex("db"))
		})
	}
}
