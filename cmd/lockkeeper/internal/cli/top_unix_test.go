//go:build unix

package cli

import (
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// topOnTerminal starts top on a terminal, with the modes that the terminal had.
func topOnTerminal(t *testing.T, in string, size pty.Winsize, env ...string) (*shell, *exec.Cmd, *term.State) {
	t.Helper()
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if err := pty.Setsize(terminal, &size); err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	cmd := proctest.Command(t, "lockkeeper", "top", "--every", "50ms")
	cmd.Env = append(append(cmd.Env, "TERM=xterm", "LOCKKEEPER_STORE="+in, "NO_COLOR="), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(patience, func() { cmd.Process.Kill() }) // ends what hangs
	t.Cleanup(func() {
		guard.Stop()
		cmd.Process.Kill()
		terminal.Close()
		cmd.Wait()
	})
	return &shell{t: t, terminal: terminal}, cmd, before
}

// restored checks that top has ended well and that the terminal is as before: modes and screen.
func restored(t *testing.T, screen *shell, cmd *exec.Cmd, before *term.State) {
	t.Helper()
	screen.expect(`\x1b\[\?7h\x1b\[\?25h\x1b\[\?1049l`)
	_ = cmd.Wait() // the state says more
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	after, err := term.GetState(int(screen.terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("the modes were %+v and are %+v", before, after)
	}
}

func TestTopGivesTheTerminalBackHoweverItEnds(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "--label", "the first", "a")
	for how, end := range map[string]func(screen *shell, p *os.Process){
		"q":       func(s *shell, _ *os.Process) { s.types("q") },
		"^C":      func(s *shell, _ *os.Process) { s.types("\x03") },
		"^D":      func(s *shell, _ *os.Process) { s.types("x\x04") },
		"SIGINT":  func(_ *shell, p *os.Process) { _ = p.Signal(syscall.SIGINT) },
		"SIGTERM": func(_ *shell, p *os.Process) { _ = p.Signal(syscall.SIGTERM) },
		"SIGQUIT": func(_ *shell, p *os.Process) { _ = p.Signal(syscall.SIGQUIT) },
		"SIGHUP":  func(_ *shell, p *os.Process) { _ = p.Signal(syscall.SIGHUP) },
	} {
		t.Run(how, func(t *testing.T) {
			screen, cmd, before := topOnTerminal(t, in, pty.Winsize{Rows: 12, Cols: 100})
			screen.expect(`\x1b\[\?1049h`)
			screen.expect(`1 names, 1 held, 0 waiting  q quits  file:`)
			screen.expect(`a +mutex +held .*"the first"`)
			if during, err := term.GetState(int(screen.terminal.Fd())); err != nil || reflect.DeepEqual(before, during) {
				t.Errorf("the modes are as before, %v", err)
			}
			end(screen, cmd.Process)
			restored(t, screen, cmd, before)
		})
	}
	h.let()
}

// Every frame fits the window, also after its size has changed.
func TestTopFitsItsWindow(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	for _, name := range []string{"a", "b", "c", "d", "e", strings.Repeat("long", 100)} {
		defer hold(t, in, "--label", strings.Repeat("label", 50), name).let()
	}
	screen, cmd, before := topOnTerminal(t, in, pty.Winsize{Rows: 5, Cols: 40})
	fits := func(rows, columns int) {
		t.Helper()
		screen.expect(`\x1b\[H`)
		frame := screen.expect(`(?s)^(.*?)\x1b\[J`)[1]
		lines := strings.Split(sequences.ReplaceAllString(frame, ""), "\r\n")
		for len(lines) != rows { // of the size before
			frame = screen.expect(`(?s)^\x1b\[H(.*?)\x1b\[J`)[1]
			lines = strings.Split(sequences.ReplaceAllString(frame, ""), "\r\n")
		}
		for _, line := range lines {
			if n := len([]rune(line)); n > columns {
				t.Errorf("%d columns: %q has %d", columns, line, n)
			}
		}
		contains(t, lines[0], "6 names, 6 held")
	}
	fits(5, 40)
	if err := pty.Setsize(screen.terminal, &pty.Winsize{Rows: 3, Cols: 25}); err != nil {
		t.Fatal(err)
	}
	fits(3, 25)
	if err := pty.Setsize(screen.terminal, &pty.Winsize{Rows: 8, Cols: 300}); err != nil {
		t.Fatal(err)
	}
	fits(8, 300)
	screen.types("q")
	restored(t, screen, cmd, before)
}

// Colours are for terminals whose user wants them.
func TestTopHeedsNoColor(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	h := hold(t, in, "a")
	w := start(t, in, "run", "a", "--", "true")
	untilWaiting(t, client(t, in), "a", 1)
	for env, want := range map[string]string{"NO_COLOR=": `\x1b\[33ma +mutex +waits`, "NO_COLOR=1": `\n(a +mutex +waits)`} {
		screen, cmd, before := topOnTerminal(t, in, pty.Winsize{Rows: 12, Cols: 100}, env)
		screen.expect(want)
		screen.types("q")
		restored(t, screen, cmd, before)
	}
	h.let()
	w.ends(0)
}

// A store that stops answering is shown, and seen again when it answers.
func TestTopOutlivesAFailureOfTheStore(t *testing.T) {
	dir := t.TempDir() + "/locks"
	in := "file:" + dir
	h := hold(t, in, "a")
	screen, cmd, before := topOnTerminal(t, in, pty.Winsize{Rows: 12, Cols: 200})
	screen.expect("1 names, 1 held")
	if err := os.Symlink("/etc/hosts", dir+"/b.table"); err != nil {
		t.Fatal(err)
	}
	screen.expect(`\x1b\[31m.*b\.table`)
	screen.expect(`a +mutex +held`)
	if err := os.Remove(dir + "/b.table"); err != nil {
		t.Fatal(err)
	}
	screen.expect(`q quits[^\n]*\n[^\n]*NAME`)
	screen.types("q")
	restored(t, screen, cmd, before)
	h.let()
}

// ^Z gives the terminal to the shell, and fg gives it back to top.
func TestTopIsAJobOfItsShell(t *testing.T) {
	eachShell(t, func(t *testing.T, sh *shell, in string) {
		h := hold(t, in, "a")
		sh.types("stty -a; TERM=xterm $LK top --every 50ms\n")
		modes := sh.expect(`(?s)(speed.*?)\x1b\[\?1049h`)[1]
		sh.expect("1 names, 1 held")
		for range 2 {
			sh.types("\x1a")
			sh.expect(`\x1b\[\?1049l`)
			sh.types("stty -a; echo stop''ped\n")
			if now := sh.expect(`(?s)(speed.*?)stopped`)[1]; strings.TrimSpace(now) != strings.TrimSpace(modes) {
				t.Errorf("the modes were %s and are %s", modes, now)
			}
			sh.types("fg\n")
			sh.expect(`\x1b\[\?1049h`)
			sh.expect("1 names, 1 held")
		}
		sh.types("q")
		sh.expect(`\x1b\[\?1049l`)
		sh.types("echo sta''tus $?\n")
		sh.expect("status 0")
		h.let()
	})
}
