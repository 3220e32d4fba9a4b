//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

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
	g, err := b.Acquire(context.Background(), mutex("db"))
	if err != nil {
		return err
	}
	if err := b.Release(context.Background(), g); err != nil {
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
