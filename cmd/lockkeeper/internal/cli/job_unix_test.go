//go:build unix

package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// shell is an interactive shell on a terminal of its own. In it, $LK is lockkeeper.
type shell struct {
	t        *testing.T
	terminal *os.File
	said     bytes.Buffer // since the last expect
}

// eachShell runs a test in each shell that is there, with a file store.
func eachShell(t *testing.T, test func(t *testing.T, sh *shell, in string)) {
	t.Helper()
	for name, args := range map[string][]string{
		"bash": {"--norc", "--noprofile", "-i"},
		"sh":   {"-i"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Logf("%s is not installed: not tested", name)
				return
			}
			in := "file:" + t.TempDir() + "/locks"
			helper := proctest.Command(t, "lockkeeper")
			cmd := exec.Command(name, args...)
			cmd.Env = append(helper.Env, "LK="+helper.Path, "LOCKKEEPER_STORE="+in, "PS1=$ ", "TERM=dumb", "HISTFILE=/dev/null", "ENV=")
			test(t, &shell{t: t, terminal: onTerminal(t, cmd, pty.Winsize{})}, in)
		})
	}
}

// types writes to the terminal.
func (s *shell) types(format string, args ...any) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.terminal, format, args...); err != nil {
		s.t.Fatal(err)
	}
}

// expect reads what the terminal shows until there is what the pattern describes, and returns its groups.
// What was typed is shown too, so commands write their words in pieces: rea”dy.
func (s *shell) expect(pattern string) []string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	var buf [1024]byte
	for {
		if at := re.FindSubmatchIndex(s.said.Bytes()); at != nil {
			var groups []string
			for _, g := range re.FindSubmatch(s.said.Bytes()) {
				groups = append(groups, string(g))
			}
			s.said.Next(at[1])
			return groups
		}
		n, err := s.terminal.Read(buf[:])
		s.said.Write(buf[:n])
		if err != nil {
			s.t.Fatalf("waiting for %q: %v after %q", pattern, err, s.said.String())
		}
	}
}

// tells is a command's script that tells its number, and that of its job.
const tells = `echo ready:$$:$(cut -d" " -f5 /proc/$$/stat):`

// ready returns the numbers of the command and of its job.
func (s *shell) ready() (command, job int) {
	s.t.Helper()
	found := s.expect(`ready:(\d+):(\d+):`)
	command, _ = strconv.Atoi(found[1])
	job, _ = strconv.Atoi(found[2])
	return command, job
}

// untilFree waits until nobody holds the lock.
func untilFree(t *testing.T, in string) {
	t.Helper()
	until(t, client(t, in), "a", "nobody holds", func(s backends.State) bool { return len(s.Holders) == 0 })
}

func TestAJobCanComeFromTheBackground(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		sh.types("$LK run a -- sh -c '%s; read x; echo GOT:$x' &\n", tells)
		_, job := sh.ready()
		untilStopped(t, job) // by its read
		sh.types("fg\n")
		sh.types("hello\n")
		sh.expect("GOT:hello")
		sh.types("echo status=$?\n")
		sh.expect("status=0")
		untilFree(t, in)
	})
}

func TestCtrlZStopsAJobThatKeepsItsLock(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		on := t.TempDir() + "/on" // the loop starts nothing: a shell whose child is stopped before its exec may never stop
		sh.types("$LK run a -- sh -c '%s; until [ -e %s ]; do :; done; echo reads:; read x; echo GOT:$x'\n", tells, on)
		command, job := sh.ready()
		sh.types("\x1a")
		untilStopped(t, job)
		untilStopped(t, command)
		start(t, in, "run", "-n", "a", "--", "true").ends(75)
		sh.types("bg\n")
		if err := os.WriteFile(on, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		sh.expect("reads:\r") // so it has gone on
		untilStopped(t, job)  // by the read
		untilStopped(t, command)
		sh.types("fg\n")
		sh.types("hello\n")
		sh.expect("GOT:hello")
		untilFree(t, in)
	})
}

// A shell's loop ends with ^C, since lockkeeper ends by the signal that the command ended by.
func TestCtrlCEndsTheCommandAndTheLoop(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		sh.types("for i in 1 2; do $LK run a -- sh -c '%s; exec sleep 1000'; done\n", tells)
		sh.ready()
		sh.types("\x03")
		sh.types("echo status=$?\n")
		if found := sh.expect(`status=(\d+)|(ready:\d+)`); found[1] != "130" {
			t.Errorf("after ^C: %q", found)
		}
		untilFree(t, in)
	})
}

func TestCtrlCEndsAScriptAndItsPipeline(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		sh.types("sh -c '$LK run a -- sh -c \"echo rea\"\"dy; exec sleep 1000\" | cat; echo survi\"\"ved'\n")
		sh.expect("ready")
		sh.types("\x03")
		sh.types("echo status=$?\n")
		if found := sh.expect(`status=(\d+)|(survived)`); found[1] != "130" {
			t.Errorf("after ^C: %q", found)
		}
		untilFree(t, in)
	})
}

// A command that handles ^C itself gets it once, and its status is lockkeeper's.
func TestCtrlCComesOnce(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		sh.types("$LK run a -- sh -c 'n=0; trap \"n=\\$((n+1)); echo in\"\"t:\\$n\" INT; %s; while [ $n = 0 ]; do sleep 0.01; done; read x; exit 4$n'\n", tells)
		sh.ready()
		sh.types("\x03")
		sh.expect("int:1")
		sh.types("x\n")
		sh.types("echo status=$?\n")
		sh.expect("status=41")
		untilFree(t, in)
	})
}

// Whatever stops the job: when the command has ended the lock is free, and the shell learns of the end.
func TestAStoppedJobGivesTheLockBack(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU} {
			sh.types("$LK run a -- sh -c '%s; exec sleep 1000' &\n", tells)
			command, job := sh.ready()
			if err := syscall.Kill(-job, sig); err != nil {
				t.Fatal(err)
			}
			untilStopped(t, job)
			untilStopped(t, command)
			if err := syscall.Kill(command, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			untilFree(t, in)
			// A shell that hears of the stop only now waits for no more than that: let it wait again.
			sh.types("until wait %d; s=$?; [ $s -lt 146 ]; do sleep 0.1; done; echo status=$s\n", job)
			sh.expect("status=137")
		}
	})
}

// A signal that ends is followed by SIGCONT: a command that was stopped notices.
func TestASignalReachesAStoppedCommand(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		p := start(t, "file:"+t.TempDir()+"/locks", "run", "a", "--", "sh", "-c", "echo $$; exec cat")
		command, err := strconv.Atoi(p.Expect(""))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(command, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		untilStopped(t, command)
		p.Signal(sig)
		p.ends(128 + int(sig))
	}
}

// A job that is suspended while it waits starts nothing before it goes on.
func TestASuspendedWaitStartsNothing(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		b, first := client(t, in), hold(t, in, "a")
		sh.types("$LK run a -- echo star''ted\n")
		untilWaiting(t, b, "a", 1)
		state, err := b.Inspect(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		holder := state.Waiters[0].Owner.PID
		front := parentOf(t, holder)
		sh.types("\x1a")
		untilStopped(t, front)
		first.let()
		until(t, b, "a", "the suspended job holds", func(s backends.State) bool {
			return len(s.Holders) == 1 && s.Holders[0].Owner.PID == holder
		})
		sh.types("echo mar''ker\n")
		sh.expect("marker")
		sh.types("fg\n")
		sh.expect("started")
		untilFree(t, in)
	})
}

// A terminal may stop jobs in the background that write to it. The notice of a wait is not worth that:
// the job would hold the lock without running its command.
func TestAWaitInTheBackgroundIsNotStoppedByItsNotice(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		b, first, ran := client(t, in), hold(t, in, "a"), t.TempDir()+"/ran"
		sh.types("stty tostop\n$LK run a -- touch %s &\n", ran)
		until(t, b, "a", "the job has waited for long", func(s backends.State) bool {
			return len(s.Waiters) == 1 && time.Since(s.Waiters[0].Since) > 3*noticeAfter
		})
		first.let()
		untilFree(t, in)
		if _, err := os.Stat(ran); err != nil {
			t.Error(err)
		}
	})
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	parent, err := strconv.Atoi(strings.Fields(rest)[1])
	if err != nil {
		t.Fatal(err)
	}
	return parent
}
