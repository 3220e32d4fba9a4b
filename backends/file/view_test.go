//go:build unix

package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// listed returns what List yields, by name.
func listed(t *testing.T, dir string) map[string]backends.State {
	t.Helper()
	states := map[string]backends.State{}
	for s, err := range List(patient(t), dir) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		states[s.Resource.Name] = s
	}
	return states
}

// Inspect and List return what a client of the directory returns.
func TestLookingTellsWhoHoldsAndWaits(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	long := strings.Repeat("a long name ", 50)
	for _, r := range []backends.Request{mutex("mutex"), reader("reader"), writer("writer"), permits("permits", 2, 3), mutex(long)} {
		mustAcquire(t, a, r)
	}
	enqueue(t, b, mutex("mutex"))
	mustRelease(t, b, mustAcquire(t, b, permits("over", 1, 1)))
	all := listed(t, dir)
	if len(all) != 5 {
		t.Errorf("%d names are listed, want 5: %+v", len(all), all)
	}
	for want, err := range a.List(patient(t)) {
		if err != nil {
			t.Fatal(err)
		}
		got, err := Inspect(patient(t), dir, want.Resource.Name)
		for _, s := range []backends.State{got, all[want.Resource.Name]} {
			if err != nil || s.Resource != want.Resource || s.Token != want.Token ||
				!slices.Equal(s.Holders, want.Holders) || !slices.Equal(s.Waiters, want.Waiters) {
				t.Errorf("looking: %+v, %v; want %+v", s, err, want)
			}
		}
	}
	for _, name := range []string{"over", "never"} {
		if s, err := Inspect(patient(t), dir, name); err != nil || s.Resource.Kind != 0 || s.Resource.Name != name {
			t.Errorf("%s: %+v, %v; want nobody", name, s, err)
		}
	}
}

// Inspect and List change nothing, make nothing, and need no right to write.
func TestLookingOnlyReads(t *testing.T) {
	dir := t.TempDir() + "/locks"
	if n := len(listed(t, dir)); n > 0 {
		t.Errorf("%d names in a directory that does not exist", n)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("looking has made the directory: %v", err)
	}
	a := sleepless(t, dir)
	mustAcquire(t, a, mutex("db"))
	ended := open(t, dir)
	mustAcquire(t, ended, permits("permits", 1, 1))
	before := contentOf(t, dir)
	listed(t, dir)
	if after := contentOf(t, dir); before != after {
		t.Errorf("looking has changed the directory from\n%s\nto\n%s", before, after)
	}
}

// contentOf lists a directory with what is in its files.
func contentOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			b.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// onlooker is the helper that becomes another user and calls Inspect and List.
func onlooker(c *proctest.Child) error {
	if err := errors.Join(syscall.Setgid(otherUser), syscall.Setuid(otherUser)); err != nil {
		return err
	}
	s, err := Inspect(context.Background(), c.Args[0], "db")
	var names []string
	var failed error
	for s, err := range List(context.Background(), c.Args[0]) {
		names, failed = append(names, s.Resource.Name), errors.Join(failed, err)
	}
	c.Say("%d holders, %t %v; %v %t %v", len(s.Holders), errors.Is(err, backends.ErrPermission), err,
		names, errors.Is(failed, backends.ErrPermission), failed)
	return nil
}

// Another user sees the files that the owner lets the group read, and is refused the rest.
func TestAnotherUserMayLook(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT CHECKED: another user who looks; that takes root")
	}
	dir, err := os.MkdirTemp("", "lockkeeper") //nolint:usetesting // each directory above is open to all users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	a := open(t, dir)
	g := mustAcquire(t, a, mutex("db"))
	for _, step := range []struct {
		allow func() error
		want  string
	}{
		{func() error { return nil }, "0 holders, true"},
		{func() error { return errors.Join(os.Chown(dir, 0, otherUser), os.Chmod(dir, 0o750)) }, "0 holders, true"},
		{func() error {
			return errors.Join(os.Chown(dir+"/db.table", 0, otherUser), os.Chmod(dir+"/db.table", 0o640))
		}, "1 holders, false <nil>; [db] false <nil>"},
	} {
		if err := step.allow(); err != nil {
			t.Fatal(err)
		}
		p := proctest.Start(t, "onlooker", dir)
		if said := p.Expect(""); !strings.HasPrefix(said, step.want) {
			t.Errorf("%s; want %s", said, step.want)
		}
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
	}
	mustRelease(t, a, g)
}

// A name whose files cannot be read does not hide the others.
func TestAnUnreadableNameHidesNoOthers(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a := open(t, dir)
	mustAcquire(t, a, mutex("a"))
	mustAcquire(t, a, mutex("z"))
	damaged := []byte("token 5000000000000000\nrubbish")
	err := errors.Join(os.WriteFile(dir+"/damaged.table", damaged, 0o600), os.Symlink("/etc/hosts", dir+"/link.table"),
		os.WriteFile(dir+"/empty.table", nil, 0o600), os.WriteFile(dir+"/unlocked.lock", nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	var seen, failed []string
	for s, err := range List(patient(t), dir) {
		if err != nil {
			failed = append(failed, s.Resource.Name)
			continue
		}
		seen = append(seen, s.Resource.Name)
	}
	if !slices.Equal(seen, []string{"a", "z"}) || !slices.Equal(failed, []string{"damaged", "link"}) {
		t.Errorf("seen %q, failed %q; want a and z, and damaged and link", seen, failed)
	}
	if _, err := Inspect(patient(t), dir, "damaged"); !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("Inspect of a damaged table: %v; want ErrUnavailable", err)
	}
	if _, err := Inspect(patient(t), dir, "link"); !errors.Is(err, backends.ErrPermission) {
		t.Errorf("Inspect of a link: %v; want ErrPermission", err)
	}
	if _, err := Inspect(patient(t), dir+"/a.table", "a"); !errors.Is(err, backends.ErrInvalid) {
		t.Errorf("Inspect in a file: %v; want ErrInvalid", err)
	}
}

// A lock that flock(1) holds is seen by Inspect and List and by a client, whether the name was ever
// used or not. To look does not disturb a process that wants the lock.
func TestLockOfAnotherProgramIsSeen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT CHECKED: locks of other programs are seen on Linux only")
	}
	dir := t.TempDir() + "/locks"
	a := open(t, dir)
	mustRelease(t, a, mustAcquire(t, a, mutex("used")))
	for c := patient(t); live(a) > 0; runtime.Gosched() { // until no line is left
		if c.Err() != nil {
			t.Fatal("the client keeps the name")
		}
	}
	for _, name := range []string{"used", "never"} {
		for mode, weight := range map[lockdir.LockMode]int64{lockdir.Exclusive: 1, lockdir.Shared: 1} {
			f, err := os.OpenFile(dir+"/"+name+lockdir.LockEnding, os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := lockdir.TryLock(int(f.Fd()), mode); !ok || err != nil {
				t.Fatal(ok, err)
			}
			kind := map[lockdir.LockMode]backends.Kind{lockdir.Exclusive: backends.Mutex, lockdir.Shared: backends.ReadWrite}[mode]
			inspected, err := Inspect(patient(t), dir, name)
			byClient, err2 := a.Inspect(patient(t), name)
			var listedByClient backends.State
			for s, err := range a.List(patient(t)) {
				if listedByClient = s; err != nil {
					t.Fatal(err)
				}
			}
			for how, s := range map[string]backends.State{
				"Inspect": inspected, "List": listed(t, dir)[name], "Backend.Inspect": byClient, "Backend.List": listedByClient,
			} {
				if err != nil || err2 != nil || s.Resource.Kind != kind || len(s.Holders) != 1 || s.Holders[0].ID != (backends.GrantID{}) ||
					s.Holders[0].Weight != weight || s.Holders[0].Owner.PID != os.Getpid() {
					t.Errorf("%s of %s: %+v, %v, %v; want one holder without an ID", how, name, s, err, err2)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if s := listed(t, dir); len(s) > 0 {
				t.Errorf("nobody holds: %+v", s)
			}
		}
	}
}

// While clients use a name, Inspect reports no foreign holders.
func TestLookingDuringUseSeesNoForeignHolders(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	dir := t.TempDir() + "/locks"
	a, b := open(t, dir), open(t, dir)
	done := make(chan error, 2)
	for _, c := range []*Backend{a, b} {
		go func() {
			var err error
			for range rounds {
				var g backends.Grant
				if g, err = backends.Acquire(t.Context(), c, mutex("db")); err == nil {
					err = backends.Release(t.Context(), c, g)
				}
				if err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for left := 2; left > 0; {
		select {
		case err := <-done:
			if left--; err != nil {
				t.Error(err)
			}
		default:
		}
		s, err := Inspect(patient(t), dir, "db")
		if err != nil {
			t.Errorf("Inspect: %v", err)
		}
		for _, h := range s.Holders {
			if h.ID.Client != a.id && h.ID.Client != b.id {
				t.Errorf("a foreign holder: %+v", h)
			}
		}
	}
}
