package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Plain shows a demo in lines, one a second.
type Plain struct {
	Out   io.Writer
	shown time.Duration // when the last line was written
	kills int           // that were told
}

// Say writes a line.
func (p *Plain) Say(text string) { fmt.Fprintln(p.Out, text) }

// Show writes a line if a second has passed, or if something has happened.
func (p *Plain) Show(s Scene) {
	if lines := happened(s); len(lines) > p.kills {
		fmt.Fprintln(p.Out, strings.Join(lines[p.kills:], "\n"))
		p.kills = len(lines)
	}
	if s.Elapsed-p.shown < time.Second {
		return
	}
	p.shown = s.Elapsed
	fmt.Fprintf(p.Out, "%4.1f s  %s grants\n", s.Elapsed.Seconds(), thousands(s.grants()))
}

// Judge writes the verdict.
func (p *Plain) Judge(v *Verdict, s Scene) { writeVerdict(p.Out, v, s, palette{}) }

// happened tells of the processes that were killed.
func happened(s Scene) []string {
	var lines []string
	for _, w := range s.Workers {
		if w.Replaces == "" {
			continue
		}
		for _, k := range s.Workers {
			if k.Process == w.Replaces {
				lines = append(lines, fmt.Sprintf("%4.1f s  process %s (pid %d) killed with SIGKILL; process %s (pid %d) takes its place",
					k.Killed.Seconds(), k.Process, k.PID, w.Process, w.PID))
			}
		}
	}
	return lines
}

// Live shows a demo on a terminal that understands ANSI escapes: a bar for each process, drawn anew in place.
type Live struct {
	Out    io.Writer
	Width  int // of the terminal
	Colour bool
	drawn  int // lines on the screen
	before Scene
}

const (
	longestBar = 20
	besideBar  = 66 // columns that the rest of a line takes
	erase      = "\x1b[2K"
)

// Say writes a line below what was drawn.
func (l *Live) Say(text string) {
	l.drawn = 0
	fmt.Fprintln(l.Out, text)
}

// Show draws the processes: the bar is a process's part of all grants since the last drawing.
func (l *Live) Show(s Scene) {
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	colours := colours(l.Colour)
	recent := recent(l.before, s)
	total := uint64(1)
	for _, n := range recent {
		total += n
	}
	barWidth := min(max(l.Width-besideBar, 1), longestBar)
	row := func(format string, args ...any) {
		b.WriteString(erase + clip(fmt.Sprintf(format, args...), l.Width) + "\n")
	}
	for i, w := range s.Workers {
		filled := int(float64(recent[i]) / float64(total) * float64(barWidth))
		bar := colours.good + strings.Repeat("█", filled) + colours.off + strings.Repeat("░", barWidth-filled)
		note := ""
		switch {
		case w.Killed != 0:
			bar = colours.bad + pad(fmt.Sprintf("✗ at %.1f s", w.Killed.Seconds()), barWidth) + colours.off
		case w.Replaces != "":
			note = "  in place of " + w.Replaces
		}
		row("  process %s  pid %-8d %s %12s grants%s", w.Process, w.PID, bar, thousands(w.Grants), note)
	}
	row("  %.1f s of %.0f s  %s grants", s.Elapsed.Seconds(), s.Duration.Seconds(), thousands(s.grants()))
	l.drawn, l.before = len(s.Workers)+1, s
	_, _ = io.WriteString(l.Out, b.String())
}

// Judge writes the verdict.
func (l *Live) Judge(v *Verdict, s Scene) { writeVerdict(l.Out, v, s, colours(l.Colour)) }

// recent returns what each process was granted between two scenes.
func recent(before, now Scene) []uint64 {
	all := make([]uint64, len(now.Workers))
	for i, w := range now.Workers {
		all[i] = w.Grants
		if i < len(before.Workers) {
			all[i] -= before.Workers[i].Grants
		}
	}
	return all
}

func (s Scene) grants() uint64 {
	total := uint64(0)
	for _, w := range s.Workers {
		total += w.Grants
	}
	return total
}

// palette is the colours, or nothing.
type palette struct{ good, bad, off string }

func colours(on bool) palette {
	if !on {
		return palette{}
	}
	return palette{good: "\x1b[32m", bad: "\x1b[31m", off: "\x1b[0m"}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len([]rune(s))))
}

// thousands writes a number in groups of three digits.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
