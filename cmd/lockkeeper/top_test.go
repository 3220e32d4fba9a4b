package main

import (
	"os"
	"strings"
	"testing"
)

func TestTopListsAgainAndAgain(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		holder := hold(t, in, "--label", "the first", "a")
		top := start(t, in, "top", "--every", "10ms")
		for _, wanted := range []string{"1 names, 1 held, 0 waiting", "NAME", `"the first"`, "1 names, 1 held, 0 waiting"} {
			contains(t, next(t, top), wanted)
		}
		holder.let()
		for !strings.Contains(next(t, top), "0 names, 0 held, 0 waiting") {
		}
		top.Signal(os.Interrupt)
		output(t, top)
	})
	start(t, "file:"+t.TempDir(), "top", "--every", "0").ends(64)
	start(t, "redis://127.0.0.1:1", "top").ends(69)
}

func next(t *testing.T, p process) string {
	t.Helper()
	line, ok := p.Listen()
	if !ok {
		t.Fatalf("%s has ended: %s", t.Name(), p.ends(0))
	}
	return line
}

func TestTopIsCutToTheTerminal(t *testing.T) {
	text := "12:00:00  20 names\nNAME\n" + strings.Repeat("a name that is long, and its holder\n", 20)
	for _, p := range []page{{20, 12, true}, {20, 12, false}, {80, 24, true}, {20, 2, true}, {1, 1, false}} {
		drawn := p.draw(text)
		if strings.Contains(drawn, "\x1b") != p.escapes {
			t.Errorf("%+v: %q", p, drawn)
		}
		if n := strings.Count(drawn, "\n"); n > max(p.height-1, 1) {
			t.Errorf("%+v: %d lines scroll", p, n)
		}
		for line := range strings.Lines(drawn) {
			line, _, _ = strings.Cut(strings.TrimPrefix(line, "\x1b[H"), "\x1b")
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > p.width {
				t.Errorf("%+v: %q has %d letters", p, line, n)
			}
		}
		if !strings.HasPrefix(strings.TrimPrefix(drawn, "\x1b[H"), "1") {
			t.Errorf("%+v: the time is missing: %q", p, drawn)
		}
	}
	contains(t, page{20, 12, false}.draw(text), "and 12 lines more")
	if got := (page{width: 20}).draw(text); got != text {
		t.Errorf("what is no terminal gets %q", got)
	}
}
