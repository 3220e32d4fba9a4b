//go:build unix

package proctest_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// echo says what it hears, after its arguments.
func echo(c *proctest.Child) error {
	c.Say("pid %d args %q", os.Getpid(), c.Args)
	for {
		line, ok := c.Listen()
		if !ok {
			return nil
		}
		c.Say("heard %s", line)
	}
}

func fails(*proctest.Child) error { return errors.New("as it should") }

// parent starts a helper of its own that holds the file descriptor 3, and tells its pid.
func parent(c *proctest.Child) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "LOCKKEEPER_PROCTEST_HELPER=echo")
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "held")}
	proctest.Mortal(cmd)
	if cmd.Stdin, err = os.Open(os.DevNull); err != nil {
		return err
	}
	in, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe() // never written: the child waits for input
	if err != nil {
		return err
	}
	defer w.Close()
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := in.Read(make([]byte, 1)); err != nil {
		return err
	}
	c.Say("started %d", cmd.Process.Pid)
	c.Listen()
	return nil
}

func TestHelperTalks(t *testing.T) {
	p := proctest.Start(t, "echo", "one", "two words")
	if got, want := p.Expect("pid"), strconv.Itoa(p.PID())+` args ["one" "two words"]`; got != want {
		t.Errorf("the helper said %q; want %q", got, want)
	}
	for _, line := range []string{"a", "b c", "", strings.Repeat("long ", 1<<16)} {
		p.Say("%s", line)
		if got := p.Expect("heard"); got != line {
			t.Errorf("the helper heard %.100q; want %.100q", got, line)
		}
	}
	p.CloseInput()
	if err := p.Wait(); err != nil {
		t.Errorf("Wait: %v", err)
	}
	if line, ok := p.Listen(); ok {
		t.Errorf("after its end the helper said %q", line)
	}
}

func TestKillEndsAStoppedProcess(t *testing.T) {
	p := proctest.Start(t, "echo")
	p.Expect("pid")
	p.Stop()
	p.Kill()
	if status := p.State().Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("the process ended with %v; want SIGKILL", p.State())
	}
}

func TestStoppedProcessGoesOn(t *testing.T) {
	p := proctest.Start(t, "echo")
	p.Expect("pid")
	p.Stop()
	p.Say("while stopped")
	p.Continue()
	p.Expect("heard while stopped")
}

func TestFailureIsAStatus(t *testing.T) {
	p := proctest.Start(t, "fails")
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("Wait: %v; want status 1", err)
	}
}

func TestNoHelperOutlivesItsTest(t *testing.T) {
	var p *proctest.Process
	t.Run("starts one", func(t *testing.T) {
		p = proctest.Start(t, "echo")
		p.Expect("pid")
	})
	if p.State() == nil {
		t.Error("the helper of a test that has ended was not waited for")
	}
}

func TestNoHelperOutlivesTheTestProcess(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := proctest.Command(t, "parent")
	cmd.ExtraFiles = []*os.File{w}
	p := proctest.Run(t, cmd)
	w.Close()
	p.Expect("started")
	p.Kill()
	// The pipe ends when nobody holds its other end: neither parent nor child.
	if data, err := io.ReadAll(r); err != nil || len(data) > 0 {
		t.Errorf("ReadAll = %q, %v", data, err)
	}
}

func TestUnknownHelperIsRefused(t *testing.T) {
	fake := &recorder{TB: t}
	func() {
		defer func() { _ = recover() }()
		proctest.Command(fake, "nobody")
	}()
	if !strings.Contains(fake.fatal, "no helper is called") {
		t.Errorf("Command failed with %q", fake.fatal)
	}
}

type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Fatalf(format string, _ ...any) {
	r.fatal = format
	panic(r)
}
