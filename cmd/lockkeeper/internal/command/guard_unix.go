//go:build unix

package command

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// vigil is what a guard does: it says that signals to its group do not end it any more, reads whom to kill, and then waits for a word
// of dismissal. When it reads the end of its input instead, whoever held the other end is dead, perhaps since before it was ready.
const vigil = `trap "" HUP INT QUIT PIPE TERM USR1 USR2 TSTP; echo ready 2>&-
read -r target && { read -r dismissed || kill -s KILL -- "$target"; } 2>/dev/null`

// guard is a small process that outlives this one: a shell that kills the command, and what it started, when this process
// dies without a word. The kernel's own kill (see attributes) reaches only the command itself, and exists only on Linux.
//
// It leads a process group, which a command that runs apart from ours joins. So it can be told whom to kill before there is
// a command: a command and what it starts at once are guarded although this process dies before it has learnt their numbers.
type guard struct {
	in    *os.File // held by this process alone, so that its death ends the guard's input
	out   *os.File // says when the guard is armed against signals
	armed bool
	pid   int
}

// ownGroup is what kill takes for the group of whoever calls it.
const ownGroup = 0

// newGuard starts a guard. Without a shell there is none: nil, which does nothing.
func newGuard() *guard {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil
	}
	defer theirOut.Close()
	p, err := os.StartProcess("/bin/sh", []string{"lockkeeper-guard", "-c", vigil}, &os.ProcAttr{
		Dir:   "/", // keeps no file system busy
		Env:   []string{},
		Files: []*os.File{theirIn, theirOut, nil},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		in.Close()
		out.Close()
		return nil
	}
	pid := p.Pid
	_ = p.Release() // collected below, by number
	return &guard{in: in, out: out, pid: pid}
}

// leads is the number of the group that the guard leads. It is nobody else's until the guard is dismissed, though it may have
// been killed: its status is not collected before.
func (g *guard) leads() int {
	if g == nil {
		return 0
	}
	return g.pid
}

// arm returns when a signal to its group does not end the guard any more: a millisecond after its start.
func (g *guard) arm() {
	if g == nil || g.armed {
		return
	}
	_ = g.out.SetReadDeadline(time.Now().Add(time.Second)) // one that was stopped must not stop us
	_, _ = g.out.Read(make([]byte, 1))
	g.armed = true
}

// protect tells the guard whom to kill: a process, or [ownGroup].
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
	_ = g.out.Close()
	for {
		if _, err := unix.Wait4(g.pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}
