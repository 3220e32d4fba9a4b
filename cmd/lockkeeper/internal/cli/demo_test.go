package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheDemoIsJudgedOnEachStore(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		t.Setenv("TMPDIR", t.TempDir())
		p := start(t, in, "demo", "--for", "1s", "--processes", "2", "--goroutines", "2", "--names", "1")
		var said []string
		for line, ok := p.Listen(); ok; line, ok = p.Listen() {
			said = append(said, line)
		}
		if stderr := p.ends(0); stderr != "" {
			t.Errorf("standard error %q", stderr)
		}
		contains(t, strings.Join(said, "\n"), "killed with SIGKILL", "two holders at a time: 0", "VERDICT: correct")
		if pauses := strings.Contains(strings.Join(said, "\n"), "pauses then, up to 2s"); pauses != strings.HasPrefix(in, "redis:") {
			t.Errorf("tells of a pause: %v", pauses)
		}
		for _, line := range said {
			if n := len([]rune(line)); n > 80 {
				t.Errorf("%d columns: %q", n, line)
			}
		}
		left, err := os.ReadDir(os.Getenv("TMPDIR"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// A store that does not work is one message, not one of each worker, and no bug of ours.
func TestADemoWithoutAStoreSaysSoOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]int{
		"redis://" + nobody(t): 69,
		"file:" + file:         64,
		"etcd://host":          64,
	} {
		p := start(t, in, "demo")
		p.saysNothing()
		if stderr := p.ends(want); strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: standard error is not one line: %s", in, stderr)
		}
	}
}
