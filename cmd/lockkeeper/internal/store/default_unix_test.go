//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

// someone returns a user database in which every user has this home directory.
func someone(home string) func(string) (*user.User, error) {
	return func(uid string) (*user.User, error) {
		return &user.User{Uid: uid, Username: "someone", HomeDir: home}, nil
	}
}

// owner returns the user of this process, or another user if that is root, and gives dir to that
// user.
func owner(t *testing.T, dir string) int {
	t.Helper()
	uid := os.Geteuid()
	if uid == 0 {
		uid = 4711
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	return uid
}

// A terminal, cron, a unit of systemd and sudo -E differ in their environment.
func TestDefaultDoesNotDependOnTheEnvironment(t *testing.T) {
	home := t.TempDir()
	uid := owner(t, home)
	for _, who := range []struct {
		uid  int
		want string
	}{{0, "/var/lib/lockkeeper"}, {uid, home + "/.local/state/lockkeeper"}} {
		for _, name := range []string{"HOME", "USER", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR"} {
			for _, value := range []string{"", "/", "relative", t.TempDir()} {
				t.Setenv(name, value)
				if dir, err := defaultOf(who.uid, someone(home)); err != nil || dir != who.want {
					t.Errorf("user %d with %s=%q: %q, %v; want %q", who.uid, name, value, dir, err, who.want)
				}
			}
		}
	}
}

// A home directory that cannot be used leads to no second place.
func TestAUserWithoutAHomeHasNoDefaultStore(t *testing.T) {
	home := t.TempDir()
	uid := owner(t, home)
	for what, c := range map[string]struct {
		uid    int
		lookup func(string) (*user.User, error)
		want   error
	}{
		"not in the database":   {uid, func(string) (*user.User, error) { return nil, user.UnknownUserIdError(uid) }, ErrRefused},
		"database out of reach": {uid, func(string) (*user.User, error) { return nil, errors.New("no answer") }, ErrRefused},
		"no home":               {uid, someone(""), ErrRefused},
		"relative home":         {uid, someone("home"), ErrRefused},
		"missing home":          {uid, someone(home + "/missing"), ErrRefused},
		"home of another user":  {uid + 1, someone(home), ErrRefused},
		"home of root":          {uid, someone("/"), ErrRefused},
		"a loop of links":       {uid, someone(loop(t)), backends.ErrUnavailable},
	} {
		dir, err := defaultOf(c.uid, c.lookup)
		if !errors.Is(err, c.want) || dir != "" {
			t.Errorf("%s: %q, %v; want %v", what, dir, err, c.want)
		}
		if err := noDefault(err); !strings.Contains(err.Error(), "LOCKKEEPER_STORE") {
			t.Errorf("%s: %v: does not say what to do", what, err)
		}
	}
}

func loop(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/loop"
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// own is a default store in a directory of the test.
func own(dir string) Store { return Store{named(dir).Address, true} }

// named is a directory that the user has named.
func named(dir string) Store {
	s, err := Parse("file:" + dir)
	if err != nil {
		panic(err)
	}
	return s
}

// A default store that cannot be used is refused. The error wraps a sentinel and says how to name a
// store.
func TestADefaultStoreThatCannotBeUsedIsRefused(t *testing.T) {
	for what, c := range map[string]struct {
		prepare func(dir string) error
		want    error
	}{
		"others may write":  {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) }, backends.ErrPermission},
		"a file":            {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, backends.ErrInvalid},
		"a link to nothing": {func(dir string) error { return os.Symlink(dir+"x", dir) }, backends.ErrUnavailable},
	} {
		dir := filepath.Join(t.TempDir(), "lockkeeper")
		if err := c.prepare(dir); err != nil {
			t.Fatal(err)
		}
		_, err := Open(own(dir))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "LOCKKEEPER_STORE") {
			t.Errorf("%s: %v; want %v, and what to do", what, err, c.want)
		}
	}
}

func TestTheDefaultStoreIsMadePrivate(t *testing.T) {
	home := t.TempDir()
	s := own(home + "/.local/state/lockkeeper")
	if s.Exists() {
		t.Error("it exists before it was opened")
	}
	b, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/.local", "/.local/state", "/.local/state/lockkeeper"} {
		if info, err := os.Stat(home + path); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v; want mode 0700", path, info.Mode(), err)
		}
	}
}

// To name a store makes nothing.
func TestParseMakesNoDirectory(t *testing.T) {
	dir, err := Default()
	if err != nil {
		t.Logf("this user has no default store: %v", err)
		return
	}
	_, before := os.Lstat(dir)
	s, err := Parse("")
	if err != nil || s.String() != "file:"+dir {
		t.Errorf("Parse of nothing: %v, %v; want file:%s", s, err, dir)
	}
	if _, after := os.Lstat(dir); errors.Is(before, fs.ErrNotExist) != errors.Is(after, fs.ErrNotExist) {
		t.Errorf("%s: %v, then %v", dir, before, after)
	}
}

// The default store is refused while processes of an earlier version use the former one.
func TestTheFormerDefaultStoreInUseIsRefused(t *testing.T) {
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	former, now := filepath.Join(runtime, "lockkeeper"), own(filepath.Join(t.TempDir(), "lockkeeper"))
	b, err := Open(named(former))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(now); !errors.Is(err, backends.ErrUnavailable) || !strings.Contains(err.Error(), former) {
		t.Errorf("Open while %s is in use: %v; want ErrUnavailable", former, err)
	}
	if fs, err := Check(t.Context(), now, 0); err != nil || backends.Worst(fs) != backends.Failure {
		t.Errorf("Check while %s is in use: %+v, %v", former, fs, err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(former, ".clients", "0badcafe0badcafe"), 0o600); err != nil { // of a process that was killed
		t.Fatal(err)
	}
	b, err = Open(now)
	if err != nil {
		t.Fatalf("Open after that: %v", err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A directory that another user has put there does not count.
func TestTheFormerDefaultStoreOfAnotherUserIsLeftAlone(t *testing.T) {
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	b, err := Open(named(filepath.Join(runtime, "lockkeeper")))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context()) //nolint:errcheck // it ends here
	if owned(filepath.Join(runtime, "lockkeeper"), os.Getuid()+1) {
		t.Error("owned reports true for another user")
	}
	if os.Getuid() != 0 {
		t.Log("NOT CHECKED: formerInUse with a directory of another user; that takes root")
		return
	}
	if err := os.Chown(filepath.Join(runtime, "lockkeeper"), 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if dir, inUse := formerInUse(); inUse {
		t.Errorf("%s is taken for this user's", dir)
	}
}
