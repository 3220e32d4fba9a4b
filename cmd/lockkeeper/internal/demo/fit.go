package demo

import (
	"io"
	"strings"
)

// Fit returns a writer of whole lines. A line that is wider than width goes on below, at a space
// where there is one. Escape sequences take no room.
func Fit(out io.Writer, width int) io.Writer { return fitted{out, max(width, 1)} }

type fitted struct {
	out   io.Writer
	width int
}

// Write takes whole lines.
func (f fitted) Write(text []byte) (int, error) {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		for f.width < columns(line) {
			head, tail := split(line, f.width)
			b.WriteString(head + "\n")
			line = tail
		}
		b.WriteString(line)
	}
	if _, err := io.WriteString(f.out, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// columns returns how wide a line is.
func columns(line string) (n int) {
	for range visible(line) {
		n++
	}
	return n
}

// visible gives the offset and the letter of everything that takes a column.
func visible(line string) func(yield func(int, rune) bool) {
	return func(yield func(int, rune) bool) {
		escape := false
		for i, r := range line {
			switch {
			case r == '\x1b':
				escape = true
			case escape: // ESC [ numbers letter
				escape = r == '[' || r == ';' || '0' <= r && r <= '9'
			case r != '\n' && !yield(i, r):
				return
			}
		}
	}
}

// clip drops what of a line is beyond the width.
func clip(line string, width int) string {
	n := 0
	for i := range visible(line) {
		if n == width {
			return line[:i] + "\x1b[0m"
		}
		n++
	}
	return line
}

// split cuts a line that is too wide, at the last space that leaves the head narrow enough, if there
// is one behind its indent; the tail keeps the indent.
func split(line string, width int) (head, tail string) {
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	if len(indent) >= width {
		indent = ""
	}
	n, space, end := 0, -1, len(line)
	for i, r := range visible(line) {
		if r == ' ' && i > len(indent) {
			space = i
		}
		if n == width {
			end = i
			break
		}
		n++
	}
	if space > 0 {
		return strings.TrimRight(line[:space], " "), indent + strings.TrimLeft(line[space:], " ")
	}
	return line[:end], line[end:]
}
