package proctest

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Mortal has the kernel kill a process yet to be started when the thread that starts it ends. Threads of a Go program end only with
// the program, or with a goroutine that is locked to one, which then no other goroutine starts a process on.
func Mortal(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// Stop stops the process, with SIGSTOP, and returns when all its threads stand still.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
	for {
		// WNOWAIT leaves the event to whoever waits for the process's end.
		err := unix.Waitid(unix.P_PID, p.PID(), nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EINTR) {
			p.t.Fatalf("proctest: wait until %s has stopped: %v", p.name, err)
		}
	}
}
