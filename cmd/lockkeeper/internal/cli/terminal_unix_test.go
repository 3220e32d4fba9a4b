//go:build unix

package cli

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// onTerminal runs a command on a terminal of its own, as a session's leader. The test's end hangs up
// and kills it.
func onTerminal(t *testing.T, cmd *exec.Cmd, size pty.Winsize) *os.File {
	t.Helper()
	terminal, err := pty.StartWithSize(cmd, &size)
	if err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(patience, func() { cmd.Process.Kill() }) // ends what hangs
	t.Cleanup(func() {
		guard.Stop()
		cmd.Process.Kill()
		terminal.Close()
		cmd.Wait()
	})
	return terminal
}

// TERM says whether escape sequences go to a terminal; top and demo share the question.
func TestATerminalGetsWhatItUnderstands(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "a")
	for term, want := range map[string]bool{"xterm": true, "dumb": false, "": false} {
		for _, args := range [][]string{{"top", "--every", "10ms"}, {"demo", "--for", "1s"}} {
			cmd := proctest.Command(t, "lockkeeper", args...)
			cmd.Env = append(cmd.Env, "TERM="+term)
			if args[0] == "top" {
				cmd.Env = append(cmd.Env, "LOCKKEEPER_STORE="+in)
			}
			out := bufio.NewReader(onTerminal(t, cmd, pty.Winsize{Rows: 12, Cols: 70}))
			var said strings.Builder
			for range 8 {
				line, err := out.ReadString('\n')
				if err != nil {
					t.Fatalf("%q: %v after %q", args, err, said.String())
				}
				said.WriteString(line)
			}
			if strings.Contains(said.String(), "\x1b") != want {
				t.Errorf("%q with TERM=%s: %q", args, term, said.String())
			}
			_ = syscall.Kill(cmd.Process.Pid, syscall.SIGINT)
		}
	}
	h.let()
}

// A person at a terminal is told whom the command waits for; a program is not.
func TestAWaitAtATerminalNamesTheHolder(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "--label", "the first", "a")
	cmd := proctest.Command(t, "lockkeeper", "run", "a", "--", "echo", "it runs")
	cmd.Env = append(cmd.Env, "LOCKKEEPER_STORE="+in)
	out := bufio.NewReader(onTerminal(t, cmd, pty.Winsize{Rows: 24, Cols: 80}))
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	contains(t, line, "lockkeeper: waiting for a: held by pid ", "(the first) since ", ", 1 waiting")
	h.let()
	if line, err = out.ReadString('\n'); err != nil || !strings.Contains(line, "it runs") {
		t.Errorf("%q, %v", line, err)
	}
}
