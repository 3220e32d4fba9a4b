//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestDirectoriesThatAreRefused(t *testing.T) {
	mode := func(m os.FileMode) func(string) error {
		return func(path string) error {
			if err := os.Mkdir(path, 0o700); err != nil {
				return err
			}
			return os.Chmod(path, m)
		}
	}
	tests := []struct {
		what string
		make func(path string) error
		want error
	}{
		{"group-writable", mode(0o770), backends.ErrPermission},
		{"world-writable", mode(0o777), backends.ErrPermission},
		{"sticky", mode(0o777 | os.ModeSticky), backends.ErrPermission},
		{"a file", func(path string) error { return os.WriteFile(path, nil, 0o600) }, backends.ErrInvalid},
		{"below a file", func(path string) error { return os.WriteFile(filepath.Dir(path), nil, 0o600) }, backends.ErrInvalid},
		{"a link to nothing", func(path string) error { return os.Symlink(path+"x", path) }, backends.ErrUnavailable},
	}
	if os.Geteuid() == 0 {
		tests = append(tests, struct {
			what string
			make func(path string) error
			want error
		}{"another user's", func(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 4711, 4711)) }, backends.ErrPermission})
	} else {
		t.Log("NOT CHECKED: a directory of another user; that takes root")
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			parent := t.TempDir() + "/parent"
			if test.what != "below a file" {
				if err := os.Mkdir(parent, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			path := parent + "/locks"
			if err := test.make(path); err != nil {
				t.Fatal(err)
			}
			if b, err := New(path); !errors.Is(err, test.want) {
				t.Errorf("New = %v, %v; want %v", b, err, test.want)
			}
		})
	}
	if _, err := New(""); !errors.Is(err, backends.ErrInvalid) {
		t.Errorf("New of no path: %v; want ErrInvalid", err)
	}
}

// strict is the helper with a umask that takes every right away: the files and directories are usable all the same.
func strict(c *proctest.Child) error {
	syscall.Umask(0o777)
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	g, err := backends.Acquire(context.Background(), b, mutex("db"))
	if err != nil {
		return err
	}
	if err := backends.Release(context.Background(), b, g); err != nil {
		return err
	}
	return filepath.Walk(c.Args[0], func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(0o600)
		if err == nil && info.IsDir() {
			want = 0o700
		}
		if err == nil && info.Mode().Perm() != want {
			err = fmt.Errorf("%s has mode %v; want %v", path, info.Mode(), want)
		}
		return err
	})
}

func TestModesDoNotDependOnTheUmask(t *testing.T) {
	p := proctest.Start(t, "strict", t.TempDir()+"/locks")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func TestDirectoryRemoved(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a := sleepless(t, dir)
	r, lost := watched(mutex("db"))
	g := mustAcquire(t, a, r)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	lost.expect(t, g, backends.BackendLost)
	if _, err := backends.Acquire(patient(t), a, mutex("other")); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Acquire without the directory: %v; want ErrUnavailable", err)
	}
	b := sleepless(t, dir) // makes a new one
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))
	if _, err := backends.TryAcquire(patient(t), a, mutex("other")); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("TryAcquire by a client of the old directory: %v; want ErrUnavailable", err)
	}
}

// A holder in a directory that was moved may let go before a waiter has heard of the move. The waiter
// is refused all the same: others begin anew where the path leads.
func TestWaiterIsNotGrantedInAMovedDirectory(t *testing.T) {
	for what, request := range map[string]backends.Request{
		"mutex": mutex("db"), "writer": writer("db"), "semaphore": permits("db", 1, 1),
	} {
		t.Run(what, func(t *testing.T) {
			base := t.TempDir()
			a, b := sleepless(t, base+"/above/locks"), open(t, base+"/above/locks")
			b.watcher.blind.Store(true)
			b.timing.net, b.timing.linger = time.Hour, time.Hour
			g := mustAcquire(t, a, request)
			w := enqueue(t, b, request)
			if err := os.Rename(base+"/above", base+"/away"); err != nil {
				t.Fatal(err)
			}
			if err := backends.Release(patient(t), a, g); err != nil && !errors.Is(err, backends.ErrLost) {
				t.Fatal(err)
			}
			b.tellAll(message{verb: look}) // as the release does
			if <-w.done; !errors.Is(w.err, backends.ErrUnavailable) {
				t.Errorf("Acquire that waited: %+v, %v; want ErrUnavailable", w.grant, w.err)
			}
		})
	}
}

// Where the directory's path leads elsewhere, others begin anew. So whoever holds is told, of a semaphore as well, whoever waits
// is refused, and nobody goes on in the old one: not who uses the lock all the time either.
func TestDirectoryMoved(t *testing.T) {
	for what, request := range map[string]backends.Request{"mutex": mutex("db"), "reader": reader("db"), "semaphore": permits("db", 1, 1)} {
		for _, moved := range []string{"/above/locks", "/above"} {
			t.Run(what+" "+moved, func(t *testing.T) {
				base := t.TempDir()
				dir := base + "/above/locks"
				a, b, busy := sleepless(t, dir), sleepless(t, dir), sleepless(t, dir)
				mustRelease(t, busy, mustAcquire(t, busy, mutex("another")))
				r, lost := watched(request)
				g := mustAcquire(t, a, r)
				other := request
				other.Weight = other.Capacity
				w := enqueue(t, b, other)
				for c := patient(t); runtime.GOOS == "linux" && (!a.watcher.reporting.Load() || !b.watcher.reporting.Load()); runtime.Gosched() {
					if c.Err() != nil {
						t.Fatal("no file events")
					}
				}
				if err := os.Rename(base+moved, base+"/away"); err != nil {
					t.Fatal(err)
				}
				lost.expect(t, g, backends.BackendLost)
				if <-w.done; !errors.Is(w.err, backends.ErrUnavailable) {
					t.Errorf("Acquire that waited: %+v, %v; want ErrUnavailable", w.grant, w.err)
				}
				for c := patient(t); ; runtime.Gosched() {
					g, err := backends.Acquire(c, busy, mutex("another"))
					if errors.Is(err, backends.ErrUnavailable) {
						break
					}
					if err != nil {
						t.Fatalf("Acquire = %v; want ErrUnavailable some time", err)
					}
					if err := backends.Release(c, busy, g); err != nil && !errors.Is(err, backends.ErrLost) {
						t.Fatal(err)
					}
				}
				if _, err := backends.TryAcquire(patient(t), a, request); !errors.Is(err, backends.ErrUnavailable) {
					t.Errorf("TryAcquire = %v; want ErrUnavailable", err)
				}
				if err := os.Rename(base+"/away", base+moved); err != nil {
					t.Fatal(err)
				}
				mustRelease(t, busy, mustAcquire(t, busy, other)) // nothing is left that would be in the way
				mustRelease(t, a, mustAcquire(t, a, other))
			})
		}
	}
}

// A directory that is removed ends waits as well.
func TestDirectoryRemovedUnderWaiter(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := open(t, dir), open(t, dir)
	for _, r := range []backends.Request{mutex("db"), permits("permits", 1, 1)} {
		mustAcquire(t, a, r)
	}
	v, w := enqueue(t, b, mutex("db")), enqueue(t, b, permits("permits", 1, 1))
	var err error
	for c := patient(t); c.Err() == nil; runtime.Gosched() {
		if err = os.RemoveAll(dir); err == nil { // files that had to be there may have been made again
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*waiterOf{v, w} {
		if <-w.done; !errors.Is(w.err, backends.ErrUnavailable) {
			t.Errorf("Acquire = %+v, %v; want ErrUnavailable", w.grant, w.err)
		}
	}
}
