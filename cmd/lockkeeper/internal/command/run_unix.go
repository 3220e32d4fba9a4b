//go:build unix

package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Run starts the command and waits until it has ended; a *StartError says that it was not started.
// It is started at most once. When Lost is closed first, the command gets SIGTERM, and SIGKILL when
// Grace is over; when the front has died, or KillAfter is over, it gets SIGKILL. In these cases Run
// returns when all that the command has started has ended as well. Signals are passed on once each.
func Run(c Command) (Result, error) {
	runtime.LockOSThread() // the command dies with this thread: it must last until the command has ended
	defer runtime.UnlockOSThread()
	children := make(chan os.Signal, 1) // one is enough: it says "look again"
	signal.Notify(children, unix.SIGCHLD)
	defer signal.Stop(children)

	p := &process{c: c, warned: make(map[int]bool)}
	if err := p.start(); err != nil {
		return Result{}, err
	}
	if c.Link != nil {
		c.Link.say(lineCommand, strconv.Itoa(p.pid))
		defer c.Link.wakeFront() // whatever has stopped it
	}
	return p.wait(children), nil
}

// process is a command that was started.
type process struct {
	c      Command
	pid    int
	ended  bool // its status was collected
	status unix.WaitStatus
	apart  bool // it leads a group of its own
	lost   bool
	kill   bool         // everybody is to be killed
	warned map[int]bool // of processes that may not be signalled
}

func (p *process) start() error {
	c := p.c
	path, err := Find(c.Argv[0])
	if err != nil {
		return err
	}
	group := c.Link.joins()
	p.apart = group == 0
	p.pid, err = startProcess(path, c.Argv, c.Env, c.Files, attributes(group))
	if errors.Is(err, unix.ENOEXEC) && isText(path) { // as execvp does
		sh := append([]string{"sh", pathArgument(path)}, c.Argv[1:]...)
		p.pid, err = startProcess("/bin/sh", sh, c.Env, c.Files, attributes(group))
	}
	if err != nil {
		return startError(c.Argv[0], number(err))
	}
	if !p.apart {
		c.Link.leaveSession(p.pid)
	}
	return nil
}

// startProcess starts a program and returns its number. Its status is to be collected by that:
// os.Process cannot tell a stop from an end. (And to learn whether it can use a pidfd, it starts a
// process more.)
func startProcess(path string, argv, env []string, files [3]*os.File, sys *syscall.SysProcAttr) (int, error) {
	attr := &syscall.ProcAttr{Env: env, Sys: sys}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	pid, err := syscall.ForkExec(path, argv, attr) //nolint:gosec // what the user asked for
	runtime.KeepAlive(files)
	return pid, err
}

// leaveSession takes this process out of the terminal's session, once the command is in the front's
// job. While the command's parent is in the session, the kernel believes that somebody there can
// continue the job. It would not hang up a stopped job whose shell has died, and ^Z would stop a job
// that no shell has started, for ever.
//
// The leader of a group may not leave, so this process joins the front's group first. A stop that the
// terminal sends in between is ignored. If the shell dies before this process has left, as on a busy
// machine it may, hangUp does what is due; if it dies later, the kernel does.
func (l *Link) leaveSession(command int) {
	signal.Ignore(unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU) // nothing that could inherit it is started now
	if unix.Setpgid(0, l.group) == nil {                    // else the front has died, and the command is killed
		_, _ = unix.Setsid()
		hangUp(l.front, command, l.group)
	}
}

// isText reports whether a file may be a script: its beginning has no zero byte.
func isText(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, longestLine))
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return err == nil && bytes.IndexByte(line, 0) < 0
}

// pathArgument returns a path that a shell does not take for an option.
func pathArgument(path string) string {
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// wait returns when the command has ended, and with a lost lease when all have. The order in which the select
// finds things ready does not matter: the loop collects the status first, and what is sent to a
// command that has just ended is lost on it, as signals are.
func (p *process) wait(children <-chan os.Signal) Result {
	lost, gone, sigs := p.c.Lost, (<-chan struct{})(nil), p.c.Sigs
	if p.c.Link != nil {
		gone, sigs = p.c.Link.Gone, p.c.Link.Sigs
	}
	var grace, late <-chan time.Time
	for {
		if p.over() {
			return Result{Code: p.code(), Lost: p.lost}
		}
		select {
		case <-children:
		case <-lost:
			lost, p.lost = nil, true
			grace = p.terminate()
		case <-gone:
			gone, p.lost, p.kill = nil, true, true
		case <-grace:
			grace, p.kill = nil, true
		case <-late:
			p.kill = true
			p.warn("the command has not ended within %v: ending it (SIGKILL)", *p.c.KillAfter)
		case s := <-sigs:
			p.pass(s)
			if late == nil && p.c.KillAfter != nil && s.AsksForTheEnd() { // later signals do not put it off
				late = time.After(*p.c.KillAfter)
			}
		}
	}
}

// over reports whether there is nothing to wait for. Of a command that must not run any longer nobody
// must be left: whoever it leaves behind is killed, and each end of a child is looked at again.
func (p *process) over() bool {
	p.collect()
	if !p.lost && !p.kill {
		return p.ended
	}
	if !p.kill && !p.ended {
		return false
	}
	p.kill = true
	left := p.send(unix.SIGKILL)
	return p.ended && len(left) == 0
}

// collect takes the statuses of children that have ended. All children of a holder are the command's:
// what the command has left behind becomes the holder's (see adopt), and is forgotten.
func (p *process) collect() {
	child := p.pid
	if p.c.Link != nil {
		child = -1
	}
	var status unix.WaitStatus
	for {
		got, err := unix.Wait4(child, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil && !p.ended:
			panic(fmt.Sprintf("bug: command: wait4(%d): %v", child, err))
		case err != nil || got == 0:
			return
		case got == p.pid && !p.ended:
			p.status, p.ended = status, true
			if child == got {
				return
			}
		}
	}
}

func (p *process) code() int {
	if p.status.Signaled() {
		return signalled + int(p.status.Signal())
	}
	return p.status.ExitStatus()
}

// terminate ends a command that must not run any longer, and returns the end of its grace.
func (p *process) terminate() <-chan time.Time {
	defer p.warn("ending the command (SIGTERM, then SIGKILL after %v)", p.c.Grace)
	if p.c.Grace <= 0 {
		p.kill = true
		return nil
	}
	p.send(unix.SIGTERM)
	p.send(unix.SIGCONT) // a stopped process would not notice
	return time.After(p.c.Grace)
}

// pass hands a signal on. What a terminal sends has reached a command that is in the terminal's job,
// but a stopped one has not noticed.
func (p *process) pass(s Signal) {
	sig, ok := s.Signal.(syscall.Signal)
	if !ok {
		return
	}
	if !s.terminal || p.apart {
		p.send(sig)
	}
	if sig != unix.SIGUSR1 && sig != unix.SIGUSR2 {
		p.send(unix.SIGCONT) // a stopped process would not notice
	}
}

// root is the process below which all are the command's: a holder starts nothing else.
func (p *process) root() int {
	if p.c.Link != nil {
		return unix.Getpid()
	}
	return p.pid
}

// send signals the command and what it has started, and returns who is left. Until collect, on this same
// goroutine, has given the command's number back to the system, it is the command's for certain. The
// number of its group stays that group's while it has a member; an empty group's number is not given
// out at once, since numbers are given out in turn.
func (p *process) send(sig syscall.Signal) (left []int) {
	pid := p.pid
	if p.ended {
		if p.apart {
			_ = unix.Kill(-pid, sig)
		}
		pid = 0
	}
	left, denied := signalFamily(p.root(), pid, p.apart && !p.ended, sig)
	for _, d := range denied {
		if !p.warned[d] {
			p.warned[d] = true
			p.warn("process %d of the command cannot be signalled (%s): operation not permitted; it runs on", d, unix.SignalName(sig))
		}
	}
	return left
}

func (p *process) warn(format string, args ...any) {
	if p.c.Warn != nil {
		p.c.Warn(fmt.Sprintf(format, args...))
	}
}
