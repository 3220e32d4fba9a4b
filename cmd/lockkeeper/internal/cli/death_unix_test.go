//go:build unix

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// family is a script of a command that starts processes of every kind: plain ones, some that ignore
// signals, one in a session of its own, one whose parent has ended, and one that reads from the
// terminal for ever. All hold the FIFO $FIFO open for writing, so its end says that all have ended.
const family = `exec 9>$FIFO
trap "" HUP INT
(trap "" TERM; sleep 1000) &
sh -c "trap \"\" TERM; sleep 1000; sleep 1000" &
setsid sh -c "trap \"\" TERM HUP; sleep 1000" &
(setsid sleep 1000 &)
(trap "" TERM; while :; do read x </dev/tty || sleep 0.05; done) 2>/dev/null &
%s
sleep 1000; sleep 1000; echo survi""ved`

// What happens to a job, and the exit status that its front has then, if it is not the victim.
var deaths = []struct {
	name   string
	kill   func(t *testing.T, front, holder int, dir string)
	status string
}{
	{"the lease is lost", func(t *testing.T, _, _ int, dir string) { remove(t, dir) }, "76"},
	{"the front is killed", func(t *testing.T, front, _ int, _ string) { sends(t, front, syscall.SIGKILL) }, "137"},
	{"the holder is killed", func(t *testing.T, _, holder int, _ string) { sends(t, holder, syscall.SIGKILL) }, "76"},
	{"the front is killed while the holder is stopped", func(t *testing.T, front, holder int, _ string) {
		sends(t, holder, syscall.SIGSTOP)
		untilStopped(t, holder)
		sends(t, front, syscall.SIGKILL)
	}, "137"},
	{"the holder is killed while the job is stopped", func(t *testing.T, front, holder int, _ string) {
		sends(t, -front, syscall.SIGSTOP)
		untilStopped(t, front)
		sends(t, holder, syscall.SIGKILL)
		if runtime.GOOS != "linux" { // which continues the front itself
			sends(t, front, syscall.SIGCONT)
		}
	}, "76"},
	{"the lease is lost while the job is stopped", func(t *testing.T, front, _ int, dir string) {
		sends(t, -front, syscall.SIGSTOP)
		untilStopped(t, front)
		remove(t, dir)
	}, "76"},
	{"the front is killed while the job is stopped", func(t *testing.T, front, _ int, _ string) {
		sends(t, -front, syscall.SIGSTOP)
		untilStopped(t, front)
		sends(t, front, syscall.SIGKILL)
	}, "137"},
}

// ownSession starts a process in a session without a terminal, as cron and services do.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func sends(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// remove removes a file or directory, also while a holder makes files there.
func remove(t *testing.T, path string) {
	t.Helper()
	err := os.RemoveAll(path)
	for errors.Is(err, syscall.ENOTEMPTY) {
		err = os.RemoveAll(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fifo returns the path of a new FIFO, whose end the test reads.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// allEnd waits until nobody holds the FIFO open.
func allEnd(t *testing.T, fifo *os.File) {
	t.Helper()
	if _, err := io.Copy(io.Discard, fifo); err != nil {
		t.Error(err)
	}
}

// In a shell's job, in the foreground of a terminal: whoever dies, nobody of the command is left.
func TestNobodyIsLeftInATerminal(t *testing.T) {
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, sh *shell, in string) {
				path := fifo(t)
				script := filepath.Join(t.TempDir(), "script")
				if err := os.WriteFile(script, fmt.Appendf(nil, family, "echo holder:$PPID:; "+tells), 0o700); err != nil {
					t.Fatal(err)
				}
				sh.types("FIFO=%s $LK run --grace 500ms a -- sh %s\n", path, script)
				end, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer end.Close()
				holder, _ := strconv.Atoi(sh.expect(`holder:(\d+):`)[1])
				_, front := sh.ready()
				d.kill(t, front, holder, in[len("file:"):])
				allEnd(t, end)
				sh.types("wait %d; echo status=$?\n", front)
				if found := sh.expect(`status=(\d+)|survived`); found[0] == "survived" {
					t.Error("the command went on")
				}
				untilEnded(t, holder)
			})
		})
	}
}

// The same where there is no terminal, as in cron or a service.
func TestNobodyIsLeftWithoutATerminal(t *testing.T) {
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			path := fifo(t)
			t.Setenv("FIFO", path)
			dir := t.TempDir() + "/locks"
			p := startWith(t, "file:"+dir, ownSession, "run", "--grace", "500ms", "a", "--", "sh", "-c", fmt.Sprintf(family, "echo $PPID"))
			end, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer end.Close()
			holder, err := strconv.Atoi(p.Expect(""))
			if err != nil {
				t.Fatal(err)
			}
			d.kill(t, p.PID(), holder, dir)
			allEnd(t, end)
			p.saysNothing()
			if d.status == "76" {
				p.ends(76)
			}
		})
	}
}

// A front that dies while its holder waits takes the request with it.
func TestAWaitEndsWithItsFront(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		b, first := client(t, in), hold(t, in, "a")
		p := start(t, in, "run", "a", "--", "echo", "started")
		untilWaiting(t, b, "a", 1)
		p.Kill()
		untilWaiting(t, b, "a", 0)
		p.saysNothing()
		first.let()
	})
}

// A lock is not given back before the command that ran under it has ended, even if the front is killed.
func TestAKilledFrontKeepsTheLockUntilTheCommandHasEnded(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	path := fifo(t)
	t.Setenv("FIFO", path)
	p := start(t, in, "run", "a", "--", "sh", "-c", `exec 9>$FIFO; echo $PPID; exec sleep 1000`)
	end, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	holder, err := strconv.Atoi(p.Expect(""))
	if err != nil {
		t.Fatal(err)
	}
	sends(t, holder, syscall.SIGSTOP)
	untilStopped(t, holder)
	start(t, in, "run", "-n", "a", "--", "true").ends(75)
	p.Kill() // continues the holder
	q := start(t, in, "run", "a", "--", "sh", "-c", "echo started; cat")
	q.Expect("started")
	if err := unix.SetNonblock(int(end.Fd()), true); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(int(end.Fd()), make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the command was there when the lock was given to the next: %d, %v", n, err)
	}
	q.let()
}
