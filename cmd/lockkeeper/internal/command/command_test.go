package command_test

import (
	"errors"
	"os"
	"path/filepath"
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
