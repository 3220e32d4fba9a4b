//go:build unix

package command

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// holder is the process that holds the lock and runs the command, as its front sees it.
type holder struct {
	pid     int
	to      *os.File     // its end tells the holder that this process has died
	said    *os.File     // what the holder has to say
	command atomic.Int64 // the command's number; 0: not started
}

// Front runs this program again, as the holder, with the same arguments, and returns its exit
// status; a *StartError says that there is none. It passes signals on, and writes what the holder has to say to standard error. If the
// holder is killed, it ends the command and returns lost.
//
// What has died is always noticed: the holder by wait, this process by the end of the link.
func Front(args []string, files [3]*os.File, lost int) (int, error) {
	oneProcessor()
	runtime.LockOSThread() // see holderAttributes
	defer runtime.UnlockOSThread()
	sigs, stop := notify()
	defer stop()
	children := make(chan os.Signal, 1) // one is enough: it says "look again"
	signal.Notify(children, unix.SIGCHLD)
	defer signal.Stop(children)
	adopt()
	h, err := startHolder(args, files)
	if err != nil {
		return 0, startError("lockkeeper", number(err))
	}
	defer h.to.Close()
	printed := Background("messages", func() error { return h.relay(files[2]) }, func(err error) error { return err })
	interrupted, wanted := false, false
	for {
		select { // a signal that comes with the holder's end is lost on it, as signals are
		case s := <-sigs:
			interrupted = h.pass(s) || interrupted
			wanted = true
		case <-children:
			status, ended := collect(h.pid)
			switch {
			case !ended:
				continue
			case status.Signaled():
				h.finish(children, files[2])
				fmt.Fprintf(files[2], "lockkeeper: the process that held the lock was ended by %s: the command was killed\n", unix.SignalName(status.Signal()))
				return lost, nil
			}
			h.print(printed, sigs, wanted)
			if code := status.ExitStatus(); !interrupted || code != SignalCode(unix.SIGINT) {
				return code, nil
			}
			return endBySIGINT(), nil
		}
	}
}

// oneProcessor spares this process the threads that Go starts to use more than one: a front and a
// holder have little to do, and starting a thread costs a tenth of a millisecond.
func oneProcessor() { runtime.GOMAXPROCS(1) }

// lastWords is how long standard error may take for messages that are waited for.
const lastWords = time.Second

// print waits until all messages are written. Standard error may be stuck: then a signal ends the
// wait, be it one that came before.
func (h *holder) print(printed <-chan error, sigs <-chan os.Signal, signalled bool) {
	var enough <-chan time.Time
	if signalled {
		enough = time.After(lastWords)
	}
	select {
	case <-printed: //nolint:errcheck // there is nowhere to say it
	case <-sigs:
	case <-enough:
	}
}

func startHolder(args []string, files [3]*os.File) (*holder, error) {
	self, err := executable()
	if err != nil {
		return nil, err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer from.Close()
	said, out, err := os.Pipe()
	if err != nil {
		to.Close()
		return nil, err
	}
	defer out.Close()
	// The two go by their own numbers, since the user may have given the command any others.
	for _, f := range []*os.File{from, out} {
		if _, err = unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
			break
		}
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d,%d,%d", linkVariable, from.Fd(), out.Fd(), unix.Getpgrp()))
	var pid int
	if err == nil {
		pid, err = startProcess(self, append([]string{"lockkeeper-holder"}, args...), env, files, holderAttributes())
	}
	if err != nil {
		to.Close()
		said.Close()
		return nil, err
	}
	wakeAtEnd(to)
	return &holder{pid: pid, to: to, said: said}, nil
}

// unwritten is how many messages may wait until standard error takes them. More are left out.
const unwritten = 256

// relay writes the holder's messages to standard error until the holder has ended. Messages have a
// goroutine of their own: while standard error is stuck, as a terminal after ^S, the command starts all
// the same, a moment later.
func (h *holder) relay(to *os.File) error {
	defer h.said.Close()
	writes := make(chan func(), unwritten)
	written := Background("standard error", func() struct{} {
		for write := range writes {
			write()
		}
		return struct{}{}
	}, func(error) struct{} { return struct{}{} })
	defer func() {
		close(writes)
		<-written
	}()
	lines := bufio.NewReader(h.said)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // the end
		}
		switch text := line[1:]; line[0] {
		case lineQuestion:
			untilWritten(writes)
			_, _ = h.to.Write([]byte{goAhead})
		case lineCommand:
			pid, _ := strconv.Atoi(text[:len(text)-1])
			h.command.Store(int64(pid))
		case lineReady:
			notifyReady()
		case lineText:
			select {
			case writes <- func() { _, _ = to.WriteString(text) }: // there is nobody else to tell
			default:
			}
		}
	}
}

// untilWritten returns when what was to be written before has been, so that it stands before what
// the command writes; or after a moment, for standard error may be stuck.
func untilWritten(writes chan<- func()) {
	done := make(chan struct{})
	select {
	case writes <- func() { close(done) }:
	default:
		return
	}
	select {
	case <-done:
	case <-time.After(lastWords):
	}
}

// pass sends a signal to the holder, and reports whether it is a terminal's SIGINT.
func (h *holder) pass(s os.Signal) (interrupted bool) {
	n, ok := s.(syscall.Signal)
	if !ok {
		return false
	}
	b := byte(n)
	if (n == unix.SIGINT || n == unix.SIGQUIT) && inForeground() {
		b |= fromTerminal
	}
	_, _ = h.to.Write([]byte{b}) // a holder that has ended needs none
	return n == unix.SIGINT && b&fromTerminal != 0
}

// finish kills what a holder that was killed has left, and returns when it has ended.
func (h *holder) finish(children <-chan os.Signal, stderr io.Writer) {
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU, unix.SIGTSTP) // the job must not be stopped before it has ended
	for {
		reap()
		left, denied := signalFamily(unix.Getpid(), 0, false, unix.SIGKILL)
		if pid := int(h.command.Load()); runtime.GOOS != "linux" && pid != 0 { // elsewhere it is no child of ours now
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if len(left) == len(denied) {
			for _, pid := range denied {
				fmt.Fprintf(stderr, "lockkeeper: process %d of the command cannot be killed: operation not permitted; it runs on\n", pid)
			}
			return
		}
		<-children
	}
}

// endBySIGINT ends this process as the terminal's ^C has ended the command, so that a loop or a script of
// a shell ends too. The result is for the case that it fails.
func endBySIGINT() int {
	signal.Reset(unix.SIGINT)
	_ = unix.Kill(unix.Getpid(), unix.SIGINT)
	<-time.After(time.Second)
	return SignalCode(unix.SIGINT)
}

// collect asks whether a child has ended, and for its status.
func collect(pid int) (status unix.WaitStatus, ended bool) {
	for {
		got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			panic(fmt.Sprintf("bug: command: wait4(%d): %v", pid, err))
		}
		return status, got == pid
	}
}

// reap forgets all children that have ended.
func reap() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.EINTR && pid <= 0 {
			return
		}
	}
}
