package cli

import (
	"strings"
	"testing"
)

func TestOnlyALineOfRunWithoutAWishForHelpStartsTheHolderAtOnce(t *testing.T) {
	for line, want := range map[string]bool{
		"run a -- true":                 true,
		"run":                           true, // the holder refuses it
		"run --shared --wait 1 a":       true,
		"run a -- ls -h --help":         true, // these are the command's
		"run -n a -- x --version":       true,
		"run --help":                    false,
		"run a -h":                      false,
		"run -nh a -- true":             false,
		"run --version":                 false,
		"run --label -home- a -- true":  false, // it only looks like a wish: the slow way is right too
		"ls":                            false,
		"":                              false,
		"--version":                     false,
		"demo --store file:/tmp -- run": false,
	} {
		if got := startsAtOnce(strings.Fields(line)); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

func TestRunPrintsItsHelpAndTheVersionWhereverTheyAreAskedFor(t *testing.T) {
	for _, line := range []string{"run --help", "run -nh a", "run --label -home- a --help", "--version", "run --version"} {
		p := start(t, "file:"+t.TempDir(), strings.Fields(line)...)
		want := "Usage: lockkeeper run"
		if strings.Contains(line, "--version") {
			want = version()
		}
		p.Expect(want)
		for ok := true; ok; {
			_, ok = p.Listen()
		}
		if stderr := p.ends(0); stderr != "" {
			t.Errorf("%s: %s", line, stderr)
		}
	}
}
