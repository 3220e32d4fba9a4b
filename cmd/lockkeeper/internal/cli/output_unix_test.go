//go:build unix

package cli

import (
	"os"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// What could not be told is no success.
func TestOutputThatIsFullIsAStatus(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Log("no /dev/full here: not tested")
		return
	}
	defer full.Close()
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "a")
	t.Setenv("LOCKKEEPER_STORE", in)
	for _, args := range [][]string{{"ls"}, {"ls", "a"}, {"top"}, {"doctor"}, {"break", "b"},
		{"version"}, {"--version"}, {"--help"}, {}, {"run", "--help"}, {"ls", "--version"}, {"man"}, {"completion", "zsh"},
		{"show", "a"}, {"serve"}} {
		status := -1
		said := written(t, func(f *os.File) { status = run(args, streams{out: full, err: f}) })
		if status != int(exitOutput) {
			t.Errorf("%q: status %d, %s; want %d", args, status, said, exitOutput)
		}
		contains(t, said, "standard output", "no space left")
	}
	h.let()
	cmd := proctest.Command(t, "lockkeeper", "demo", "--processes", "2", "--goroutines", "1", "--names", "1", "--for", "1s")
	said := written(t, func(f *os.File) {
		cmd.Stdout, cmd.Stderr = full, f
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != int(exitOutput) {
			t.Errorf("demo: %v; want status %d", err, exitOutput)
		}
	})
	contains(t, said, "standard output", "no space left")
}
