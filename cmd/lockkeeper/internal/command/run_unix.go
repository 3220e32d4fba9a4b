//go:build unix

package command

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Notify returns the signals that are passed on to a command, from now on, and a function that ends this. Signals that
// were ignored when this process started, as nohup and background jobs of a shell do, stay ignored.
func Notify() (sigs <-chan os.Signal, stop func()) {
	const room = 16 // signals that may wait; more are dropped, as the kernel does with repeated ones
	c := make(chan os.Signal, room)
	for _, s := range []os.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTSTP,
	} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	return c, func() { signal.Stop(c) }
}

// SignalCode returns the exit status that says that a signal ended the work.
func SignalCode(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return signalled + int(n)
	}
	return signalled
}

// Stops reports whether a signal asks for a pause rather than for something to be done or ended.
func Stops(s os.Signal) bool { return s == unix.SIGTSTP }

// Pause stops this process as the signal would have done, had it not been caught. It returns when it goes on.
func Pause() { _ = unix.Kill(unix.Getpid(), unix.SIGSTOP) }

// Run starts the command and waits until it has ended; a *StartError says that it was not started.
// It is started at most once. When Lost is closed first, the command gets SIGTERM, and SIGKILL when Grace is over.
// Signals are passed on once each.
func Run(c Command) (Result, error) {
	runtime.LockOSThread() // the command dies with this thread: it must last until the command has ended
	defer runtime.UnlockOSThread()

	children := make(chan os.Signal, 1) // one is enough: it says "look again"
	signal.Notify(children, unix.SIGCHLD)
	defer signal.Stop(children)

	p := &process{guard: newGuard(), apart: !inForeground()}
	defer p.guard.dismiss()
	if p.apart {
		p.guard.protect(ownGroup)
	}
	if err := p.start(c); err != nil {
		return Result{}, err
	}
	if !p.apart {
		p.guard.protect(p.pid)
	}
	return p.wait(c, children), nil
}

// process is a command whose status was not collected yet.
type process struct {
	pid   int
	guard *guard
	apart bool // in a process group that is not ours: its guard's, or without one its own
	lost  bool
}

func (p *process) start(c Command) error {
	path, err := Find(c.Argv[0])
	if err != nil {
		return err
	}
	files := []*os.File{c.Files[0], c.Files[1], c.Files[2]}
	started, err := os.StartProcess(path, c.Argv, &os.ProcAttr{Env: c.Env, Files: files, Sys: attributes(p.apart, p.guard.leads())})
	if err != nil {
		return startError(c.Argv[0], number(err))
	}
	p.pid = started.Pid
	_ = started.Release() // its status is collected below, by number: os.Process cannot tell a stop from an end
	return nil
}

// wait returns when the command has ended. The order in which the select finds things ready does not matter: the loop
// collects the status first, and what is sent to a command that has just ended is lost on it, as signals are.
func (p *process) wait(c Command, children <-chan os.Signal) Result {
	lost := c.Lost
	var grace <-chan time.Time
	for {
		if code, ended := p.collect(); ended {
			p.sweep()
			return Result{Code: code, Lost: p.lost}
		}
		select {
		case <-children:
		case <-lost:
			lost, p.lost = nil, true
			grace = p.terminate(c)
		case <-grace:
			grace = nil
			p.send(unix.SIGKILL)
		case s := <-c.Sigs:
			p.pass(s)
		}
	}
}

// collect asks whether the command has ended, and for its status.
func (p *process) collect() (code int, ended bool) {
	var status unix.WaitStatus
	for {
		got, err := unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			panic(fmt.Sprintf("bug: command: wait4(%d): %v", p.pid, err))
		case got != p.pid:
			return 0, false
		case status.Signaled():
			return signalled + int(status.Signal()), true
		default:
			return status.ExitStatus(), true
		}
	}
}

// terminate ends a command that must not run any longer, and returns the end of its grace.
func (p *process) terminate(c Command) <-chan time.Time {
	if c.Warn != nil {
		c.Warn(fmt.Sprintf("ending the command (SIGTERM, then SIGKILL after %v)", c.Grace))
	}
	if c.Grace <= 0 {
		p.send(unix.SIGKILL)
		return nil
	}
	p.send(unix.SIGTERM)
	p.send(unix.SIGCONT) // a stopped process would not notice
	return time.After(c.Grace)
}

// sweep ends what a command that lost its lease has left of its group. The number is still that group's: its leader is the guard, whose
// status was not collected; or, without a guard, the command, and then it is not given out again while the group has
// a member, and hardly at once if it has none, since numbers are given out in turn.
func (p *process) sweep() {
	if p.lost && p.apart {
		p.send(unix.SIGKILL)
	}
}

// pass hands a signal of ours on. What a terminal sends has reached the command already if it is in our group.
func (p *process) pass(s os.Signal) {
	sig, ok := s.(syscall.Signal)
	if !ok {
		return
	}
	switch sig {
	case unix.SIGTSTP:
		if p.apart {
			p.send(unix.SIGTSTP)
		}
		Pause()
		if p.apart {
			p.send(unix.SIGCONT)
		}
	case unix.SIGINT, unix.SIGQUIT:
		if p.apart {
			p.send(sig)
		}
	default:
		p.send(sig)
	}
}

// send signals the command, and all of its group if that is not ours. The number is the command's for certain: only
// collect, on this same goroutine, gives it back to the system (but see sweep).
func (p *process) send(sig syscall.Signal) {
	p.guard.arm()
	_ = unix.Kill(p.target(), sig) // fails if nobody is left
}

// target is what kill takes for the command: a group has a negative number.
func (p *process) target() int {
	switch {
	case !p.apart:
		return p.pid
	case p.guard != nil:
		return -p.guard.leads()
	default:
		return -p.pid
	}
}

// inForeground reports whether this process is in the foreground group of its controlling terminal.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return false // no terminal
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
