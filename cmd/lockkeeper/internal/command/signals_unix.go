//go:build unix

package command

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// passed are the signals that are passed on to a command. A stop is not among them: the terminal
// stops all of its job, and lockkeeper goes on holding the lock.
var passed = []syscall.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
}

// room is for signals that wait; more are dropped, as the kernel does with repeated ones.
const room = 16

// lastSignal is the largest number of a signal on any system.
const lastSignal = 64

// notify returns the signals that are passed on, from now on, and a function that ends this. Signals
// that were ignored when this program was started, as nohup and the background jobs of scripts are,
// stay ignored, and so they are for what this process starts. (Not SIGCHLD: a process that ignores
// it does not learn how its children have ended. Nor SIGPROF, which Go does not let go.)
//
// Go resets to the default, in what it starts, the signals that it handles, and it handles all but
// those of signal.Ignore.
func notify() (sigs chan os.Signal, stop func()) {
	sigs = make(chan os.Signal, room)
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		if s != unix.SIGCHLD && wasIgnored(s) {
			signal.Ignore(s)
		}
	}
	for _, s := range passed {
		if !wasIgnored(s) {
			signal.Notify(sigs, s)
		}
	}
	broken := make(chan os.Signal, 1) // never read: a write to a closed pipe fails, and ends nobody
	if !wasIgnored(unix.SIGPIPE) {
		signal.Notify(broken, unix.SIGPIPE)
	}
	return sigs, func() {
		signal.Stop(sigs)
		signal.Stop(broken)
	}
}

// AsksForTheEnd reports whether the signal asks a program to end: HUP, INT, QUIT, TERM.
func (s Signal) AsksForTheEnd() bool {
	return s.Signal == unix.SIGHUP || s.Signal == unix.SIGINT || s.Signal == unix.SIGQUIT || s.Signal == unix.SIGTERM
}

// SignalCode returns the exit status that says that a signal ended the work.
func SignalCode(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return signalled + int(n)
	}
	return signalled
}

// inForeground reports whether this process is in the foreground group of its controlling terminal.
func inForeground() bool { return foreground() == unix.Getpgrp() }

// foreground returns the foreground group of the controlling terminal, 0 if there is none.
func foreground() int {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return 0 // no terminal
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return 0
	}
	return group
}

// InBackground reports whether the front is a job in the background of its terminal. There a message
// may stop it (stty tostop).
func (l *Link) InBackground() bool {
	if l == nil {
		return false
	}
	group := foreground()
	return group != 0 && group != l.group
}

// hasTerminal reports whether this process has a controlling terminal.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	tty.Close()
	return true
}
