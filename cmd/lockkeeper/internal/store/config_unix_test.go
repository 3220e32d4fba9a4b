//go:build unix

package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

// configured writes a configuration of the user.
func configured(t *testing.T, text string, mode os.FileMode) (path string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	path = filepath.Join(home, "lockkeeper", "config.json")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAStoreHasAName(t *testing.T) {
	dir := t.TempDir()
	configured(t, `{"stores": {"here": "file:`+dir+`", "db": "rediss://u:secret@db:6380/2", "old": "db"}}`, 0o644)
	for name, want := range map[string]string{"here": "file:" + dir, "db": "rediss://db:6380/2"} {
		if s, err := Parse(name); err != nil || s.String() != want {
			t.Errorf("%q is %v, %v; want %s", name, s, err, want)
		}
	}
	for name, want := range map[string]error{"else": ErrRefused, "old": backends.ErrInvalid} { // a name is no store for a name
		if s, err := Parse(name); !errors.Is(err, want) {
			t.Errorf("%q is %v, %v; want %v", name, s, err, want)
		}
	}
}

func TestAConfigurationThatIsNoneIsRefused(t *testing.T) {
	for text, c := range map[string]struct {
		mode os.FileMode
		want error
	}{
		`{"stores": {"a": "secret"}`:               {0o600, ErrRefused},
		`{"store": {"a": "file:/secret"}}`:         {0o600, ErrRefused},
		`{"stores": {"a": "file:/tmp/x"}} {}`:      {0o600, ErrRefused},
		`{"stores": {"a": "file:/tmp/x"}} secret`:  {0o600, ErrRefused},
		`{"stores": {"a": "secret"}}`:              {0o600, backends.ErrInvalid},
		`{"stores": {"a": ""}}`:                    {0o600, backends.ErrInvalid},
		`{"stores": {"a": "file:/tmp/anybody's"}}`: {0o666, backends.ErrPermission},
		`{"stores": {"a": "file:/tmp/a group's"}}`: {0o620, backends.ErrPermission},
	} {
		path := configured(t, text, c.mode)
		_, err := Parse("a")
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want %v, and which file", text, err, c.want)
		}
	}
}

func TestANamedStoreDoesNotDependOnTheWorkingDirectory(t *testing.T) {
	for _, text := range []string{"file:locks", "./locks", "../locks", "file:"} {
		path := configured(t, `{"stores": {"a": "`+text+`"}}`, 0o600)
		if s, err := Parse("a"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, %v; want it refused, and which file", text, s, err)
		}
	}
}

// The open of a named pipe waits for a writer.
func TestAConfigurationThatIsAPipeHoldsUpNothing(t *testing.T) {
	path := configured(t, "", 0o600)
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	if s, err := Parse("a"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, %v; want it refused, and which file", s, err)
	}
}

// As after sudo -E, whose environment is another user's.
func TestAConfigurationOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT CHECKED: a file of another user; that takes root")
	}
	path := configured(t, `{"stores": {"a": "file:/tmp/x"}}`, 0o600)
	if err := os.Chown(path, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("a"); !errors.Is(err, backends.ErrPermission) {
		t.Errorf("Parse = %v; want ErrPermission", err)
	}
}

// Any file is a configuration or refused. What a name in it stands for does not depend on the working
// directory.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		`{"stores": {"a": "file:/tmp/x"}}`, `{"stores": {"a": "FILE:x"}}`, `{"stores": {"a": "file:x"}}`, `{"stores": {"a": "./x"}}`, `{"stores": {"a": "memory:"}}`,
		`{"stores": {"a": "redis://u:p@h"}}`, `{"stores": {"a": "b"}}`, `{"stores": null}`, `null`, ``, `[]`, `{"stores": {"a": 1}}`, `{"STORES": {"a": "file:/x"}, "stores": {}}`, `{} {}`,
		`{"stores": {"a": "file:///tmp/x"}}`, `{"stores": {"a": "/tmp/x"}}`, `{"stores": {"a": ".\\x"}}`,
	} {
		f.Add(s)
	}
	home := f.TempDir()
	path := filepath.Join(home, "lockkeeper", "config.json")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		t.Setenv("XDG_CONFIG_HOME", home)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Chdir(home)
		s, err := Parse("a")
		t.Chdir("/")
		again, err2 := Parse("a")
		switch {
		case err != nil && !errors.Is(err, ErrRefused) && !errors.Is(err, backends.ErrInvalid):
			t.Fatalf("%s: %v", text, err)
		case (err == nil) != (err2 == nil) || s.String() != again.String():
			t.Fatalf("%s is %v in one directory and %v in another", text, s, again)
		}
	})
}
