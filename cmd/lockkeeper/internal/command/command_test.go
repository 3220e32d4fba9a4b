package command_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
)

func TestFindTellsMissingFromNotExecutable(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program string
		code    int
	}{
		{"no-such-program-anywhere", command.NotFound},
		{filepath.Join(dir, "missing"), command.NotFound},
		{plain, command.NotExecutable},
		{dir, command.NotExecutable},
	} {
		_, err := command.Find(c.program)
		var start *command.StartError
		if !errors.As(err, &start) || start.Code != c.code {
			t.Errorf("Find(%q): %v, want a StartError with code %d", c.program, err, c.code)
		}
	}
	if path, err := command.Find("sh"); err != nil || !filepath.IsAbs(path) {
		t.Errorf("Find(sh) = %q, %v", path, err)
	}
}

func TestEnvReplacesWhatAnOuterLockLeft(t *testing.T) {
	got := command.Env([]string{"A=1", "LOCK_TOKEN=7", "LOCK_NAME=outer", "LOCK_TOKENS=kept"}, "inner=x", 18446744073709551615)
	want := []string{"A=1", "LOCK_TOKENS=kept", "LOCK_NAME=inner=x", "LOCK_TOKEN=18446744073709551615"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
