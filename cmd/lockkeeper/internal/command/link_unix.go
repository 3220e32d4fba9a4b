//go:build unix

package command

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// linkVariable tells a holder its two ends of the link, and the process group of its front.
const linkVariable = "LOCKKEEPER_FRONT"

// What goes through a link. To the holder: bytes, the numbers of signals. To the front: lines, of
// which the first byte is the kind.
const (
	goAhead      = 0    // the answer to a question
	fromTerminal = 0x80 // beside a signal's number: the terminal has sent it to all of its job
	lineText     = '>'  // a message for people
	lineQuestion = '?'  // may the command start?
	lineCommand  = '#'  // the command's number
	lineReady    = '!'  // the lock is held (run --hold)
)

// A Signal is one that is to be passed on to the command, or ends the wait for the lock.
type Signal struct {
	os.Signal
	terminal bool // a terminal has sent it: to the command too, if that is in the same group
}

// Link is a holder's link to its front. Its end means that the front has died.
type Link struct {
	Sigs <-chan Signal   // from the front, and those sent to the holder itself
	Gone <-chan struct{} // closed when the front has died

	out   *os.File
	ahead chan struct{}
	group int // process group of the front
	front int
}

// Attach returns the link of this process to its front if it was started as a holder, else nil. It is
// to be called once, before anything else is started.
func Attach() *Link {
	text, found := os.LookupEnv(linkVariable)
	l := &Link{ahead: make(chan struct{}, 1), front: os.Getppid()}
	var in, out int
	if n, _ := fmt.Sscanf(text, "%d,%d,%d", &in, &out, &l.group); !found || n != 3 { //nolint:mnd // the three above
		return nil
	}
	oneProcessor()
	_ = os.Unsetenv(linkVariable)
	unix.CloseOnExec(in)
	unix.CloseOnExec(out)
	_ = os.WriteFile("/proc/self/comm", []byte("lockkeeper-hold"), 0) // for ps and killall, where there is one
	adopt()
	l.out = os.NewFile(uintptr(out), "front")
	sigs, gone := make(chan Signal, room), make(chan struct{})
	l.Sigs, l.Gone = sigs, gone
	deliver := func(s Signal) {
		select {
		case sigs <- s:
		default: // more are waiting than matter
		}
	}
	direct, _ := notify() // for the rest of this process's life
	Background("signals", func() struct{} {
		for s := range direct {
			deliver(Signal{Signal: s})
		}
		return struct{}{}
	}, func(error) struct{} { return struct{}{} })
	// The pipe blocks. A read that finds nothing would have the kernel continue a stopped front (see
	// wakeAtEnd).
	from := os.NewFile(uintptr(in), "front")
	Background("front", func() struct{} {
		defer close(gone)
		var b [1]byte
		for {
			switch n, _ := from.Read(b[:]); {
			case n == 0:
				return struct{}{}
			case b[0] == goAhead:
				l.ahead <- struct{}{}
			default:
				deliver(Signal{Signal: syscall.Signal(b[0] &^ fromTerminal), terminal: b[0]&fromTerminal != 0})
			}
		}
	}, func(error) struct{} { return struct{}{} })
	return l
}

// Ready asks the front whether the command may start; the channel gives the answer. A front that is
// stopped, as by ^Z, does not answer before it goes on.
func (l *Link) Ready() <-chan struct{} {
	l.say(lineQuestion, "")
	return l.ahead
}

// Write has the front write a message to standard error. It does not block: the front may be stopped, or
// its standard error may be stuck. When the front has died, the message goes to standard error from here.
func (l *Link) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if l.say(lineText, strings.TrimSuffix(line, "\n")) {
			continue
		}
		signal.Ignore(unix.SIGTTOU) // a terminal must not stop us now; nothing is started any more
		Background("message", func() struct{} {
			_, _ = os.Stderr.WriteString(line)
			return struct{}{}
		}, func(error) struct{} { return struct{}{} })
	}
	return len(text), nil
}

// Announce writes a text that says that the lock is held, where no command is to run, and has the
// front tell systemd. It may block, as writes do.
func (l *Link) Announce(out *os.File, text string) error {
	signal.Ignore(unix.SIGTTOU) // a terminal must not stop us for it; nothing is started
	if _, err := out.WriteString(text); err != nil {
		return err
	}
	l.say(lineReady, "")
	return nil
}

func (l *Link) say(kind byte, text string) bool {
	line := append([]byte{kind}, text...)
	_, err := l.out.Write(append(bytes.ReplaceAll(line, []byte("\n"), []byte(" ")), '\n'))
	return err == nil
}

// wakeFront continues a front that was stopped, so that it can tell the end.
func (l *Link) wakeFront() {
	if os.Getppid() == l.front {
		_ = unix.Kill(l.front, unix.SIGCONT)
	}
}

// joins returns the process group for the command: that of the front, if there is a terminal, which
// then signals, stops and continues the command with the rest of its job, as a shell expects. Else 0.
func (l *Link) joins() int {
	if l == nil || !hasTerminal() {
		return 0
	}
	return l.group
}
