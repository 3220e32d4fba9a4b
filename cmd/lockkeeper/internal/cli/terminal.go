package cli

import (
	"fmt"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// The size of a terminal that does not tell its own, and the width of what is none.
const (
	usualWidth  = 80
	usualHeight = 24
)

// page is what a stream can show.
type page struct {
	width, height int  // of a terminal; the height is 0 if the stream is none
	escapes       bool // it is a terminal that understands escape sequences
}

// pageOf asks for the page of a stream, which changes with the window.
func pageOf(out *os.File) page {
	fd := int(out.Fd())
	if !term.IsTerminal(fd) {
		return page{width: usualWidth}
	}
	p := page{width: usualWidth, height: usualHeight}
	if width, height, err := term.GetSize(fd); err == nil && width > 0 && height > 0 {
		p.width, p.height = width, height
	}
	kind := os.Getenv("TERM")
	p.escapes = kind != "dumb" && kind != ""
	return p
}

// shown returns how a page shows a name or a label: whole, but clipped on a terminal.
func (p page) shown() func(text string) string {
	if p.height == 0 {
		return printable
	}
	return clipped(p.width / usualShare)
}

// coloured reports whether a page is to have colours, see https://no-color.org.
func (p page) coloured() bool { return p.escapes && os.Getenv("NO_COLOR") == "" }

// fit returns what a terminal that understands no escapes shows of a text: as many lines as it has,
// each cut to its width. Where there is no terminal, that is all of the text.
func (p page) fit(text string) string {
	if p.height == 0 {
		return text
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if room := max(p.height-1, 1); len(lines) > room { // the cursor takes the last line
		more := len(lines) - max(room-1, 1)
		lines = append(lines[:len(lines)-more], cutOff(more))[:room]
	}
	for i, line := range lines {
		lines[i] = cut(line, p.width)
	}
	return strings.Join(lines, "\n") + "\n"
}

// cut returns the beginning of a line, without what would move the cursor.
func cut(line string, width int) string {
	return head(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, line), width)
}

// cutOff is the line in place of those that do not fit.
func cutOff(more int) string { return fmt.Sprintf("… and %d lines more", more) }
