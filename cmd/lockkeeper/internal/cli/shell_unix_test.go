//go:build unix

package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// parting is a way in which a shell leaves its jobs.
type parting func(sh *shell, pid int)

// partings of a shell with a stopped job.
var partings = map[string]parting{
	"killed":  func(sh *shell, pid int) { sends(sh.t, pid, syscall.SIGKILL) },
	"exits":   func(sh *shell, _ int) { sh.types("exit\n"); sh.types("exit\n") }, // the first only warns
	"hung up": func(sh *shell, _ int) { sh.terminal.Close() },
}

// eachParting runs a test for each of the ways in which a shell leaves its jobs, in each shell. The
// shell is the leader of the terminal's session, or not. The test calls leave.
func eachParting(t *testing.T, ways map[string]parting,
	test func(t *testing.T, sh *shell, in string, leave func()),
) {
	t.Helper()
	for name, part := range ways {
		for _, nested := range []bool{false, true} {
			t.Run(name+", nested "+strconv.FormatBool(nested), func(t *testing.T) {
				eachShell(t, func(t *testing.T, sh *shell, in string) {
					if nested {
						sh.types("echo na''me; $0 ${BASH:+--norc} -i\n")
						sh.expect("name")
					}
					sh.types("echo shell:$$:\n")
					pid, _ := strconv.Atoi(sh.expect(`shell:(\d+):`)[1])
					test(t, sh, in, func() { part(sh, pid) })
				})
			})
		}
	}
}

// untilEnded waits until a process has ended. Whether its parent has noticed does not matter.
func untilEnded(t *testing.T, pid int) {
	t.Helper()
	for ended := time.Now().Add(patience); time.Now().Before(ended); runtime.Gosched() {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if _, state, _ := strings.Cut(string(stat), ") "); err == nil && strings.HasPrefix(state, "Z") {
			return
		}
	}
	t.Fatalf("process %d has not ended", pid)
}

// A job that nobody can continue any more ends, and its lock is free.
func TestAStoppedJobEndsHoweverItsShellLeaves(t *testing.T) {
	eachParting(t, partings, func(t *testing.T, sh *shell, in string, leave func()) {
		sh.types("$LK run a -- sh -c '%s; read x; read y' &\n", tells)
		command, job := sh.ready()
		untilStopped(t, job) // by its read
		untilStopped(t, command)
		start(t, in, "run", "-n", "a", "--", "true").ends(75)
		leave()
		untilFree(t, in)
		untilEnded(t, command)
		untilEnded(t, job)
	})
}

// A command that ignores the hang-up goes on.
func TestAStoppedCommandThatStaysGoesOnWithoutItsShell(t *testing.T) {
	eachParting(t, partings, func(t *testing.T, sh *shell, in string, leave func()) {
		done := filepath.Join(t.TempDir(), "done")
		sh.types("$LK run a -- sh -c 'trap \"\" HUP TERM; %s; kill -STOP 0; echo >%s' &\n", tells, done)
		command, job := sh.ready()
		untilStopped(t, job)
		untilStopped(t, command)
		leave()
		untilFree(t, in)
		if _, err := os.Stat(done); err != nil {
			t.Error(err)
		}
	})
}

// A job that has lost its shell is not stopped by a terminal any more: its read fails.
func TestAJobWithoutItsShellIsNotStopped(t *testing.T) {
	killed := map[string]parting{"killed": partings["killed"]}
	eachParting(t, killed, func(t *testing.T, sh *shell, in string, leave func()) {
		path := filepath.Join(t.TempDir(), "fifo")
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf(`trap "" HUP TERM; %s; read x <%s; read y </dev/tty`, tells, path)
		sh.types("$LK run a -- sh -c '%s' &\n", script)
		command, _ := sh.ready()
		shellPID := parentOf(t, parentOf(t, parentOf(t, command)))
		leave()
		untilEnded(t, shellPID)
		if err := os.WriteFile(path, []byte("go\n"), 0); err != nil {
			t.Fatal(err)
		}
		untilFree(t, in)
	})
}

// A job that was stopped while it waits takes its request with it.
func TestAStoppedWaitEndsWithItsShell(t *testing.T) {
	eachParting(t, partings, func(t *testing.T, sh *shell, in string, leave func()) {
		b, first := client(t, in), hold(t, in, "a")
		sh.types("$LK run a -- echo started\n")
		untilWaiting(t, b, "a", 1)
		state, err := b.Inspect(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		sh.types("\x1a")
		untilStopped(t, parentOf(t, state.Waiters[0].Owner.PID))
		leave()
		untilWaiting(t, b, "a", 0)
		first.let()
	})
}
