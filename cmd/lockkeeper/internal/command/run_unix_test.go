//go:build unix

package command_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
)

// long is a grace that no test waits for.
const long = time.Hour

// sh returns a command that runs a script of the shell, and its standard output.
func sh(t *testing.T, script string) (command.Command, *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // a test that fails must not hang
		t.Fatal(err)
	}
	return command.Command{
		Argv:  []string{"sh", "-c", script},
		Env:   os.Environ(),
		Files: [3]*os.File{nil, w, os.Stderr},
		Grace: long,
	}, bufio.NewReader(r)
}

func run(t *testing.T, c command.Command) command.Result {
	t.Helper()
	res, err := command.Run(c)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestStatusIsTheCommands(t *testing.T) {
	for script, want := range map[string]int{
		"exit 0":        0,
		"exit 7":        7,
		"exit 255":      255,
		"kill -9 $$":    128 + 9,
		"kill -TERM $$": 128 + 15,
	} {
		c, _ := sh(t, script)
		if got := run(t, c); got != (command.Result{Code: want}) {
			t.Errorf("%s: got %+v, want code %d", script, got, want)
		}
	}
}

func TestAStopIsNotAnEnd(t *testing.T) {
	c, out := sh(t, `echo $$; read x; exit 5`)
	theirs, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	c.Files[0] = theirs
	done := make(chan command.Result, 1)
	go func() { done <- run(t, c) }()
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} { // both tell the parent
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if got := <-done; got.Code != 5 {
		t.Errorf("got %+v, want code 5", got)
	}
}

func TestNotStarted(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for program, code := range map[string]int{"no-such-program": 127, "/": 126, script: 127} {
		_, err := command.Run(command.Command{Argv: []string{program}})
		var start *command.StartError
		if !errors.As(err, &start) || start.Code != code {
			t.Errorf("%s: %v, want a StartError with code %d", program, err, code)
		}
	}
}

func TestLossEndsTheWholeGroupWithSIGTERM(t *testing.T) {
	c, out := sh(t, `trap 'wait; echo outer; exit 3' TERM
		sh -c 'trap "echo inner; exit" TERM; echo ready; while :; do sleep 1; done' & wait`)
	lost := make(chan struct{})
	c.Lost = lost
	var warned string
	c.Warn = func(text string) { warned = text }
	done := make(chan command.Result, 1)
	go func() { done <- run(t, c) }()
	expect(t, out, "ready")
	close(lost)
	if got := <-done; got != (command.Result{Code: 3, Lost: true}) {
		t.Errorf("got %+v, want code 3 and lost", got)
	}
	expect(t, out, "inner")
	expect(t, out, "outer")
	if !strings.Contains(warned, "SIGTERM") {
		t.Errorf("warned %q", warned)
	}
}

func TestLossKillsWhoeverIgnoresSIGTERM(t *testing.T) {
	c, out := sh(t, `trap "" TERM; echo ready; while :; do sleep 1; done`)
	lost := make(chan struct{})
	c.Lost, c.Grace = lost, 20*time.Millisecond
	done := make(chan command.Result, 1)
	go func() { done <- run(t, c) }()
	expect(t, out, "ready")
	close(lost)
	if got := <-done; got != (command.Result{Code: 128 + 9, Lost: true}) {
		t.Errorf("got %+v, want 137 and lost", got)
	}
}

func TestLossKillsWhatTheCommandLeavesInItsGroup(t *testing.T) {
	// The command ends at once; its child ignores SIGTERM. The child holds the pipe: end of file says that it is gone.
	c, out := sh(t, `sh -c 'trap "" TERM; echo ready; while :; do sleep 1; done' & wait`)
	lost := make(chan struct{})
	c.Lost = lost
	done := make(chan command.Result, 1)
	go func() { done <- run(t, c) }()
	expect(t, out, "ready")
	close(lost)
	if got := <-done; got != (command.Result{Code: 128 + 15, Lost: true}) {
		t.Errorf("got %+v, want 143 and lost", got)
	}
	c.Files[1].Close()
	if rest, err := io.ReadAll(out); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestLossReachesAStoppedCommand(t *testing.T) {
	c, out := sh(t, `trap 'exit 4' TERM; echo $$; kill -STOP $$; while :; do sleep 1; done`)
	lost := make(chan struct{})
	c.Lost = lost
	done := make(chan command.Result, 1)
	go func() { done <- run(t, c) }()
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	close(lost) // before or after it has stopped: SIGTERM and SIGCONT come either way
	if got := <-done; got.Code != 4 || !got.Lost {
		t.Errorf("got %+v, want code 4 and lost", got)
	}
}

func TestSignalsArePassedOnOnce(t *testing.T) {
	c, out := sh(t, `for s in HUP INT QUIT USR1 USR2; do trap "echo $s" $s; done; trap "exit 9" TERM
		echo ready; while :; do sleep 0.01; done`)
	sigs := make(chan command.Signal, 8)
	c.Sigs = sigs
	done := make(chan command.Result, 1)
	go func() { done <- run(t, c) }()
	expect(t, out, "ready")
	for _, s := range []struct {
		sig  syscall.Signal
		name string
	}{
		{syscall.SIGHUP, "HUP"}, {syscall.SIGINT, "INT"}, {syscall.SIGQUIT, "QUIT"},
		{syscall.SIGUSR1, "USR1"}, {syscall.SIGUSR2, "USR2"},
	} {
		sigs <- command.Signal{Signal: s.sig}
		expect(t, out, s.name)
	}
	sigs <- command.Signal{Signal: syscall.SIGTERM}
	if got := <-done; got.Code != 9 || got.Lost {
		t.Errorf("got %+v, want code 9", got)
	}
	c.Files[1].Close()
	if rest, _ := io.ReadAll(out); len(rest) != 0 {
		t.Errorf("a signal came twice: %q", rest)
	}
}

func TestStreamsAreTheCommandsOwn(t *testing.T) {
	c, out := sh(t, `cat; read x; echo "[$x]"`)
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Files[0] = in
	if _, err := w.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	run(t, c)
	in.Close()
	expect(t, out, "hello")
	expect(t, out, "[]")
}

func TestABrokenPipeIsTheCommandsOwn(t *testing.T) {
	c, _ := sh(t, `while :; do echo y; done`)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	c.Files[1] = w
	defer w.Close()
	if got := run(t, c); got.Code != 128+int(syscall.SIGPIPE) {
		t.Errorf("got %+v, want it ended by SIGPIPE", got)
	}
}

func TestSignalCode(t *testing.T) {
	if got := command.SignalCode(syscall.SIGINT); got != 130 {
		t.Errorf("got %d, want 130", got)
	}
}

func expect(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	got, err := r.ReadString('\n')
	if got = strings.TrimSuffix(got, "\n"); err != nil || got != want {
		t.Errorf("read %q, %v, want %q", got, err, want)
	}
}
