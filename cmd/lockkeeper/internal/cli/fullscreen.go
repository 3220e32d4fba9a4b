package cli

import (
	"io"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/command"
)

// fullscreen is a terminal that a subcommand has for itself: the alternate screen, which keeps what
// was shown before, and keys that come at once. It is for one goroutine.
type fullscreen struct {
	s      streams
	colour bool
	before *term.State // of the input; nil: the input is no terminal, or has been left
	on     bool
}

// Escape sequences. A line that is too wide for the terminal is cut, and never scrolls it.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l" // alternate screen, no cursor, no wrap
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	eraseLine   = "\x1b[K"
	eraseBelow  = "\x1b[J"
	resetStyle  = "\x1b[0m"
)

// style is how a line looks, where there are colours.
type style string

const (
	plain style = ""
	bold  style = "\x1b[1m"
	bad   style = "\x1b[31m"
	waits style = "\x1b[33m"
)

// styled is a line of text.
type styled struct {
	text  string
	style style
}

// enter takes the terminal, anew if it has it: a shell may have changed its modes.
func (f *fullscreen) enter() error {
	if f.on {
		f.leave()
	}
	if in := int(f.s.in.Fd()); term.IsTerminal(in) {
		before, err := term.MakeRaw(in)
		if err != nil {
			return err
		}
		f.before = before
	}
	f.on = true
	_, err := io.WriteString(f.s.out, enterScreen)
	return printed(err)
}

// leave gives the terminal back as it was.
func (f *fullscreen) leave() {
	if !f.on {
		return
	}
	f.on = false
	if f.before != nil {
		_ = term.Restore(int(f.s.in.Fd()), f.before) // a terminal that is gone needs nothing
		f.before = nil
	}
	_, _ = io.WriteString(f.s.out, leaveScreen) // the same
}

// The keys that mean something. In raw mode the terminal sends no signals for them.
const (
	keyInterrupt = '\x03' // ^C
	keyEnd       = '\x04' // ^D; the end of the input too
	keySuspend   = '\x1a' // ^Z
	keyQuit      = '\x1c' // ^\
)

// key reads the next key. Its goroutine waits for the terminal, and ends with the key or the
// process. A key that comes while there is no fullscreen is lost to the shell, as with any program
// that reads.
func (f *fullscreen) key() <-chan byte {
	if !term.IsTerminal(int(f.s.in.Fd())) {
		return nil
	}
	return command.Background("keys", func() byte {
		var b [1]byte
		if n, err := f.s.in.Read(b[:]); n == 0 || err != nil {
			return keyEnd
		}
		return b[0]
	}, func(error) byte { return keyEnd })
}

// draw shows lines in place of the last ones.
func (f *fullscreen) draw(lines []styled) error {
	_, err := io.WriteString(f.s.out, pageOf(f.s.out).frame(lines, f.colour))
	return printed(err)
}

// frame is what draws lines: as many as fit, each cut to the width.
func (p page) frame(lines []styled, colour bool) string {
	if more := len(lines) - p.height; more > 0 {
		lines = append(slices.Clone(lines[:p.height-1]), styled{cutOff(more + 1), plain})
	}
	var b strings.Builder
	b.WriteString(home)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n") // the last line has none: it would scroll
		}
		text := cut(l.text, p.width)
		if colour && l.style != plain {
			text = string(l.style) + text + resetStyle
		}
		b.WriteString(text + eraseLine)
	}
	b.WriteString(eraseBelow)
	return b.String()
}
