//go:build unix

package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// found returns the findings whose text contains what.
func found(fs []backends.Finding, what string) (some []backends.Finding) {
	for _, f := range fs {
		if strings.Contains(f.What, what) {
			some = append(some, f)
		}
	}
	return some
}

func mustCheck(t *testing.T, dir string) []backends.Finding {
	t.Helper()
	fs, err := Check(context.Background(), dir, time.Hour)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	return fs
}

func TestNothingIsWrongWithADirectoryInUse(t *testing.T) {
	dir := t.TempDir() + "/locks"
	for _, f := range mustCheck(t, dir) {
		if f.Level > backends.Note {
			t.Errorf("before the first use: %+v", f)
		}
	}
	b := sleepless(t, dir)
	for _, r := range requests("") {
		if r.Weight < r.Capacity || r.Kind == backends.Mutex {
			mustAcquire(t, b, r)
		}
	}
	enqueue(t, sleepless(t, dir), mutex("mutex"))
	if fs, err := b.Check(patient(t)); err != nil || len(fs) > 0 {
		t.Errorf("Check = %+v, %v; want nothing", fs, err)
	}
	if err := b.Close(patient(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Check(patient(t)); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("Check after Close: %v; want ErrClosed", err)
	}
}

// Each fault is found, said with what it means, and not touched; a repair mends it, or leaves it where it must.
func TestFindings(t *testing.T) {
	damage := func(dir string) error {
		return os.WriteFile(dir+"/db.table", []byte("token 5000000000000000\nrubbish"), 0o600)
	}
	tests := []struct {
		what  string // of the finding
		level backends.Level
		make  func(dir string) error
		stays bool // after a repair
	}{
		{"others may write", backends.Failure, func(dir string) error { return os.Chmod(dir, 0o770) }, false},
		{`"db.table" has mode 0644`, backends.Warning, func(dir string) error { return os.Chmod(dir+"/db.table", 0o644) }, false},
		{`"db.lock" has mode 0400`, backends.Failure, func(dir string) error { return os.Chmod(dir+"/db.lock", 0o400) }, false},
		{`"db.table" is damaged`, backends.Warning, damage, false},
		{`"x.table" is the table of another name, "db"`, backends.Failure, func(dir string) error {
			b, err := os.ReadFile(dir + "/db.table")
			return errors.Join(err, os.WriteFile(dir+"/x.table", b, 0o600))
		}, false},
		{"1 processes have ended", backends.Note, func(dir string) error {
			b, err := New(dir)
			if err != nil {
				return err
			}
			path := dir + "/" + b.dir.InboxOf(b.id)
			if err := b.Close(context.Background()); err != nil {
				return err
			}
			return errors.Join(mkfifo(path), os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
		}, false},
		{`"db.lock" is no regular file`, backends.Failure, func(dir string) error {
			return errors.Join(os.Remove(dir+"/db.lock"), os.Symlink("/etc/hosts", dir+"/db.lock"))
		}, true},
		{`"x.lock" has 2 names`, backends.Failure, func(dir string) error { return os.Link(dir+"/db.lock", dir+"/x.lock") }, true},
		{`"db.table" has 2 names`, backends.Failure, func(dir string) error { return os.Link(dir+"/db.table", dir+"/../x") }, true},
		{`"x.table" is no regular file`, backends.Failure, func(dir string) error { return mkfifo(dir + "/x.table") }, true},
		{"2 files are none of lockkeeper's", backends.Note, func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/sub", 0o700), os.WriteFile(dir+"/README", nil, 0o600))
		}, true},
		{"is no usable directory", backends.Failure, func(dir string) error {
			return errors.Join(os.RemoveAll(dir+"/"+lockdir.ClientsName), os.WriteFile(dir+"/"+lockdir.ClientsName, nil, 0o600))
		}, true},
		{`".floor" cannot be opened`, backends.Failure, func(dir string) error { return os.Mkdir(dir+"/.floor", 0o700) }, true},
		{"1 names have not been used", backends.Note, func(dir string) error {
			return os.Chtimes(dir+"/db.table", time.Time{}, time.Now().Add(-2*time.Hour))
		}, false},
		{"ahead of the clock", backends.Note, func(dir string) error {
			b, err := New(dir)
			if err != nil {
				return err
			}
			far := uint64(time.Now().Add(time.Hour).UnixMicro())
			err = errors.Join(b.dir.RaiseFloor(far), os.Remove(dir+"/db.table"))
			g, err2 := backends.Acquire(context.Background(), b, mutex("db"))
			return errors.Join(err, err2, backends.Release(context.Background(), b, g), b.Close(context.Background()))
		}, true},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			b := open(t, dir)
			mustRelease(t, b, mustAcquire(t, b, mutex("db")))
			if err := b.Close(patient(t)); err != nil {
				t.Fatal(err)
			}
			if err := test.make(dir); err != nil {
				t.Fatal(err)
			}
			for range 2 { // a check changes nothing
				fs := found(mustCheck(t, dir), test.what)
				if len(fs) != 1 || fs[0].Level != test.level || fs[0].Means == "" {
					t.Fatalf("Check found %+v; want one %v with its meaning; all: %+v", fs, test.level, mustCheck(t, dir))
				}
			}
			mended, left, err := Repair(patient(t), dir, time.Hour)
			if err != nil {
				t.Fatalf("Repair: %v", err)
			}
			if got := len(found(left, test.what)) > 0; got != test.stays {
				t.Errorf("left after the repair: %v; want %v; mended %+v, left %+v", got, test.stays, mended, left)
			}
			if got := len(found(mustCheck(t, dir), test.what)) > 0; got != test.stays {
				t.Errorf("found after the repair: %v; want %v", got, test.stays)
			}
			if test.stays {
				return
			}
			b = open(t, dir)
			mustRelease(t, b, mustAcquire(t, b, mutex("db")))
			mustRelease(t, b, mustAcquire(t, b, mutex("x")))
		})
	}
}

func TestKilledHolderIsFoundAndRemoved(t *testing.T) {
	dir := t.TempDir() + "/locks"
	holder := startClient(t, dir)
	mustAcquire(t, holder, mutex("db"))
	holder.p.Kill()
	const what = `"db" names 1 holders or waiters that have ended`
	if fs := found(mustCheck(t, dir), what); len(fs) != 1 {
		t.Fatalf("found %+v", mustCheck(t, dir))
	}
	mended, _, err := Repair(patient(t), dir, time.Hour)
	if err != nil || len(found(mended, what)) != 1 {
		t.Fatalf("Repair = %+v, %v", mended, err)
	}
	if fs := found(mustCheck(t, dir), what); len(fs) > 0 {
		t.Errorf("after the repair: %+v", fs)
	}
}

func TestTableThatStaysLockedIsFound(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))
	table, err := b.dir.Seize("db" + lockdir.TableEnding)
	if err != nil || table < 0 {
		t.Fatal(table, err)
	}
	defer table.Free()
	if fs := found(mustCheck(t, dir), "is being changed"); len(fs) != 1 {
		t.Errorf("found %+v", mustCheck(t, dir))
	}
}

func TestOnlyOneRepairsAtATime(t *testing.T) {
	dir := t.TempDir() + "/locks"
	d, err := lockdir.OpenStore(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if ok, err := lockdir.TryLock(d.FD, lockdir.Exclusive); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, _, err := Repair(patient(t), dir, 0); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Repair beside another: %v; want ErrUnavailable", err)
	}
	b := sleepless(t, dir) // it disturbs nobody
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))
}

func TestDirectoriesThatCannotBeUsedAreFindings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if fs := mustCheck(t, file); backends.Worst(fs) != backends.Failure {
		t.Errorf("a file: %+v", fs)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(link+"-not", link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{link, link + "/locks"} {
		if fs := mustCheck(t, dir); backends.Worst(fs) != backends.Failure {
			t.Errorf("%s, a link to nothing: %+v", dir, fs)
		}
	}
	if os.Geteuid() == 0 {
		dir := t.TempDir()
		if err := os.Chown(dir, 4711, 4711); err != nil {
			t.Fatal(err)
		}
		if fs := mustCheck(t, dir); backends.Worst(fs) != backends.Failure {
			t.Errorf("another user's directory: %+v", fs)
		}
	} else {
		t.Log("NOT CHECKED: a directory of another user; that takes root")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))
	if _, err := Check(ctx, dir, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Check after the end of its context: %v", err)
	}
}

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }
