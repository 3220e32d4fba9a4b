package proctest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for a line, or for the end of a process that has been killed.
const patience = 60 * time.Second

// Process is a helper process. Its methods end the test when something goes wrong that is not theirs to report; they
// are for the test's own goroutine, except Kill, Stop, Continue and Signal.
type Process struct {
	t      testing.TB
	name   string
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	lines  *bufio.Reader
	stderr bytes.Buffer
	waited bool
	err    error
}

// Command returns the command that makes this test binary the helper, for a test that has to change it before [Run]
// or that gives it to another program to start.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	if !helpers[name] {
		t.Fatalf("proctest: no helper is called %q: TestMain does not register it", name)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("proctest: %v", err)
	}
	cmd := exec.Command(self, args...)
	// The race detector has a process sleep for a second before it exits, in case a report is being written: per helper.
	impatient := "GORACE=atexit_sleep_ms=20 " + os.Getenv("GORACE")
	cmd.Env = append(os.Environ(), variable+"="+name, impatient)
	return cmd
}

// Start starts a helper. It is killed at the end of the test at the latest.
func Start(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	return Run(t, Command(t, name, args...))
}

// Run starts a command, of [Command] or any other, with its standard streams connected to the Process. It is killed at
// the end of the test at the latest.
func Run(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, cmd: cmd, name: strings.Join(cmd.Args[1:], " ")}
	var theirIn, theirOut *os.File
	var err error
	if theirIn, p.in, err = os.Pipe(); err != nil {
		t.Fatalf("proctest: %v", err)
	}
	if p.out, theirOut, err = os.Pipe(); err != nil {
		t.Fatalf("proctest: %v", err)
	}
	p.lines = bufio.NewReader(p.out)
	cmd.Stdin, cmd.Stdout = theirIn, theirOut
	if cmd.Stderr == nil {
		cmd.Stderr = &p.stderr
	}
	cmd.WaitDelay = time.Second // what the helper started may hold its standard error open
	Mortal(cmd)
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		p.in.Close()
		p.out.Close()
		t.Fatalf("proctest: start %s: %v", p.name, err)
	}
	t.Cleanup(p.cleanup)
	return p
}

func (p *Process) cleanup() {
	if !p.waited {
		p.Kill()
	}
	p.in.Close()
	p.out.Close()
	if p.t.Failed() && p.stderr.Len() > 0 {
		p.t.Logf("standard error of %s:\n%s", p.name, p.stderr.String())
	}
}

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Say sends one line to the process.
func (p *Process) Say(format string, args ...any) {
	p.t.Helper()
	if !p.TrySay(format, args...) {
		p.t.Fatalf("proctest: write to %s: it has ended", p.name)
	}
}

// TrySay is Say for a process that may have ended; false: it has.
func (p *Process) TrySay(format string, args ...any) bool {
	_, err := fmt.Fprintf(p.in, format+"\n", args...)
	return err == nil
}

// CloseInput ends the process's input.
func (p *Process) CloseInput() { p.in.Close() }

// Listen waits for the next line; false: the process has closed its output, as by its end.
func (p *Process) Listen() (line string, ok bool) {
	p.t.Helper()
	err := p.out.SetReadDeadline(time.Now().Add(patience))
	if err != nil && !errors.Is(err, os.ErrNoDeadline) { // pipes of Windows have none
		p.t.Fatalf("proctest: %v", err)
	}
	line, err = p.lines.ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("proctest: %s has said nothing for %v", p.name, patience)
	}
	return strings.TrimSuffix(line, "\n"), err == nil
}

// Expect waits for the next line, which must begin with prefix, and returns what follows the prefix and the space
// after it.
func (p *Process) Expect(prefix string) string {
	p.t.Helper()
	line, ok := p.Listen()
	if !ok {
		p.t.Fatalf("proctest: %s ended before it said %q: %v\n%s", p.name, prefix, p.Wait(), p.stderr.String())
	}
	rest, found := strings.CutPrefix(line, prefix)
	if !found {
		p.t.Fatalf("proctest: %s said %q; want %q", p.name, line, prefix)
	}
	return strings.TrimPrefix(rest, " ")
}

// Signal sends a signal. A process that has ended is no error.
func (p *Process) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("proctest: signal %v to %s: %v", sig, p.name, err)
	}
}

// Kill ends the process with SIGKILL, stopped or not. When it returns the process is gone: its files are closed and its
// locks are free.
func (p *Process) Kill() {
	p.t.Helper()
	if !p.waited { // to signal one that has gone is an error on Windows
		p.Signal(syscall.SIGKILL)
	}
	_ = p.Wait()
}

// Wait waits for the end of the process and returns what exec.Cmd.Wait does: nil for status 0, else an *exec.ExitError.
// A second Wait returns the same.
func (p *Process) Wait() error {
	if !p.waited {
		p.waited = true
		p.err = p.cmd.Wait()
	}
	return p.err
}

// State returns how the process ended, after [Process.Wait] or [Process.Kill].
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }
