//go:build unix

package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

func TestDefaultIsPrivateToTheUser(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for runtime, want := range map[string]string{
		"":         filepath.Join(tmp, "lockkeeper-"+strconv.Itoa(os.Getuid())),
		"relative": filepath.Join(tmp, "lockkeeper-"+strconv.Itoa(os.Getuid())),
		tmp:        filepath.Join(tmp, "lockkeeper"),
	} {
		t.Setenv("XDG_RUNTIME_DIR", runtime)
		for range 2 { // not there yet, then made
			dir, err := store.Default()
			if err != nil || dir != want {
				t.Errorf("with XDG_RUNTIME_DIR=%q: %q, %v; want %q", runtime, dir, err, want)
			}
			s, err := store.Parse("")
			if err != nil || s.Kind() != store.File {
				t.Fatalf("Parse of nothing: %v, %v", s, err)
			}
			b, free, err := store.Open(s)
			if err != nil || !s.Exists() {
				t.Fatalf("Open: %v; the directory exists: %v", err, s.Exists())
			}
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
			free()
		}
		info, err := os.Stat(want)
		if err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", want, info.Mode(), err)
		}
	}
}

// To name a store makes nothing.
func TestParseMakesNoDirectory(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	s, err := store.Parse("")
	if err != nil || s.Exists() {
		t.Errorf("Parse of nothing: %v; the directory exists: %v", err, s.Exists())
	}
}

func TestDefaultRefusesWhatOthersMayWrite(t *testing.T) {
	for name, prepare := range map[string]func(dir string) error{
		"mode 0755":     func(dir string) error { return os.Mkdir(dir, 0o755) },
		"a file":        func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"symbolic link": func(dir string) error { return os.Symlink(t.TempDir(), dir) },
	} {
		t.Run(name, func(t *testing.T) {
			runtime := t.TempDir()
			t.Setenv("XDG_RUNTIME_DIR", runtime)
			if err := prepare(filepath.Join(runtime, "lockkeeper")); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Parse(""); !errors.Is(err, store.ErrUnsafe) {
				t.Errorf("got %v, want ErrUnsafe", err)
			}
		})
	}
}

func TestDefaultWithoutARuntimeDirectory(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(t.TempDir(), "missing"))
	s, err := store.Parse("")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Open(s); !errors.Is(err, store.ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}
