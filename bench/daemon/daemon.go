// Package daemon runs a server for a benchmark: it starts the program, waits until its output says that it is ready,
// kills and starts it again, and ends it.
package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Daemon is a program that serves until it is told to end.
type Daemon struct {
	program string
	args    []string
	ready   string

	cmd     *exec.Cmd
	drained chan struct{} // closed when the program has closed its output
}

// Start starts a program and returns when a line of its output, standard or error, contains ready.
func Start(ctx context.Context, ready, program string, args ...string) (*Daemon, error) {
	d := &Daemon{program: program, args: args, ready: ready}
	return d, d.run(ctx)
}

func (d *Daemon) run(ctx context.Context) error {
	d.cmd, d.drained = exec.Command(d.program, d.args...), make(chan struct{})
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	d.cmd.Stderr = d.cmd.Stdout
	if err := d.cmd.Start(); err != nil {
		return err
	}
	ready := make(chan bool, 1)
	go d.read(out, ready)
	select {
	case ok := <-ready:
		if !ok {
			<-d.drained
			return fmt.Errorf("%s did not start: %w", filepath.Base(d.program), d.cmd.Wait())
		}
		return nil
	case <-ctx.Done(): // nobody waits for the server any more
		d.Stop()
		return ctx.Err()
	}
}

// read reads the log to its end and tells when the server is ready, or that it never was.
func (d *Daemon) read(out io.Reader, ready chan<- bool) {
	defer close(d.drained)
	told := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !told && strings.Contains(lines.Text(), d.ready) {
			ready <- true
			told = true
		}
	}
	if !told {
		ready <- false
	}
}

// Restart kills the server as a crash would (SIGKILL), leaves it away for a while and starts it again.
func (d *Daemon) Restart(ctx context.Context, away time.Duration) error {
	_ = d.cmd.Process.Kill()
	<-d.drained
	_ = d.cmd.Wait()
	time.Sleep(away)
	return d.run(ctx)
}

// Stop ends the process and waits for it. Its exit status is of no interest.
func (d *Daemon) Stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(5*time.Second, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	<-d.drained
	_ = d.cmd.Wait()
}

// FreeAddr returns an address of the loopback interface whose port was free a moment ago.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), l.Close()
}
