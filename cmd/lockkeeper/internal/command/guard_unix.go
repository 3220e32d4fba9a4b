//go:build unix

package command

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// vigil is what a guard does: it reads whom to kill, and then waits for a word of dismissal. When it reads the end of its input
// instead, whoever held the other end is dead.
const vigil = `read -r target && { read -r dismissed || kill -s KILL -- "$target"; } 2>/dev/null`

// guard is a small process that outlives this one: a shell that kills the command, and what it started, when this process
// dies without a word. The kernel's own kill (see attributes) reaches only the command itself, and exists only on Linux.
type guard struct {
	in  *os.File // held by this process alone, so that its death ends the guard's input
	pid int
}

// newGuard starts a guard. Without a shell there is none: nil, which does nothing.
func newGuard() *guard {
	theirs, in, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer theirs.Close()
	p, err := os.StartProcess("/bin/sh", []string{"lockkeeper-guard", "-c", vigil}, &os.ProcAttr{
		Dir:   "/", // keeps no file system busy
		Env:   []string{},
		Files: []*os.File{theirs, nil, nil},
		Sys:   &syscall.SysProcAttr{Setpgid: true}, // a signal to our group must not end it before us
	})
	if err != nil {
		in.Close()
		return nil
	}
	pid := p.Pid
	_ = p.Release() // collected below, by number
	return &guard{in, pid}
}

// protect tells the guard whom to kill: a process, or a group by its negative number.
func (g *guard) protect(target int) {
	if g != nil {
		_, _ = fmt.Fprintln(g.in, target) // a guard that is gone cannot be helped
	}
}

// dismiss ends the guard, and returns when it has ended.
func (g *guard) dismiss() {
	if g == nil {
		return
	}
	_, _ = fmt.Fprintln(g.in, "0\ndismissed") // two lines: it may not have been told a target
	_ = g.in.Close()
	for {
		if _, err := unix.Wait4(g.pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}
