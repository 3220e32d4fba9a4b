package demo

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[a-zA-Z]")

// wide returns the lines of text that are wider than that.
func wide(text string, width int) (lines []string) {
	for line := range strings.Lines(escapes.ReplaceAllString(text, "")) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > width {
			lines = append(lines, line)
		}
	}
	return lines
}

// everything plays all that a demo can show.
func everything(s Screen) {
	const long = 1 << 60
	scene := Scene{Elapsed: 4 * time.Second, Duration: time.Hour}
	for i := range 1000 {
		scene.Workers = append(scene.Workers, Actor{Process: fmt.Sprint(i + 1), PID: 1 << 22, Grants: long / 1000})
	}
	scene.Workers[998].Killed = 3000 * time.Second
	scene.Workers[999].Replaces = "999"
	h := &history.Verdict{Grants: math.MaxInt, Names: 1000, Jain: 1, Processes: map[string]int{"1": 3000}}
	v := &Verdict{History: h, Counters: []Counter{{Name: "demo-4194304-17327423847238472/0", Value: long, Inherited: 1}}}
	s.Say("4 processes × 16 goroutines contend for 3 names; half-way one process is killed.\nlocks: file:/" + strings.Repeat("long/", 50))
	s.Show(scene)
	s.Show(scene)
	s.Judge(v, scene)
	v.fault("a fault that takes many words to tell: %s", strings.Repeat("word ", 50))
	s.Judge(v, scene)
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for _, width := range []int{120, 80, 40, 10, 1} {
		for name, screen := range map[string]func(io.Writer) Screen{
			"plain": func(w io.Writer) Screen { return &Plain{Out: Fit(w, width)} },
			"live":  func(w io.Writer) Screen { return &Live{Out: Fit(w, width), Width: width, Colour: true} },
		} {
			var out strings.Builder
			everything(screen(&out))
			if lines := wide(out.String(), width); len(lines) > 0 {
				t.Errorf("%s, %d columns: %d lines are wider, such as %q", name, width, len(lines), lines[0])
			}
		}
	}
}

// A line of a process that is drawn in place shows all there is on 80 columns.
func TestALineOfAProcessFitsUncut(t *testing.T) {
	var out strings.Builder
	(&Live{Out: Fit(&out, 80), Width: 80}).Show(Scene{Workers: []Actor{
		{Process: "4", PID: 1 << 22, Grants: 1 << 30, Killed: time.Second},
		{Process: "5", PID: 1 << 22, Grants: 1 << 30, Replaces: "4"},
	}})
	for _, part := range []string{"✗ at 1.0 s", "in place of 4\n"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in\n%s", part, out.String())
		}
	}
}

func TestFitBreaksAtSpacesAndKeepsTheIndent(t *testing.T) {
	var out strings.Builder
	_, _ = io.WriteString(Fit(&out, 10), "  one two three\nabcdefghijkl\n\x1b[32mgreen\x1b[0m day\n")
	const want = "  one two\n  three\nabcdefghij\nkl\n\x1b[32mgreen\x1b[0m day\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
