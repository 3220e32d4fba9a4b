package cli

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
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
	var lines []styled
	for line := range strings.Lines(text) {
		lines = append(lines, styled{strings.TrimSuffix(line, "\n"), waits})
	}
	for _, p := range []page{{20, 12, true}, {20, 12, false}, {80, 24, true}, {20, 2, true}, {1, 1, true}, {1, 1, false}} {
		drawn, scrolls := p.fit(text), max(p.height-1, 1)
		if p.escapes {
			drawn, scrolls = p.frame(lines, true), p.height-1
		}
		if n := strings.Count(drawn, "\n"); n > scrolls {
			t.Errorf("%+v: %d lines scroll", p, n)
		}
		seen := sequences.ReplaceAllString(drawn, "")
		for line := range strings.Lines(seen) {
			if n := len([]rune(strings.TrimSpace(line))); n > p.width {
				t.Errorf("%+v: %q has %d letters", p, line, n)
			}
		}
		if p.height > 1 && !strings.HasPrefix(seen, "1") {
			t.Errorf("%+v: the time is missing: %q", p, seen)
		}
	}
	contains(t, page{20, 12, false}.fit(text), "and 12 lines more")
	contains(t, page{20, 12, true}.frame(lines, true), "and 11 lines more", string(waits))
	if plainly := (page{20, 12, true}).frame(lines, false); strings.Contains(plainly, string(waits)) {
		t.Errorf("colours: %q", plainly)
	}
	if got := (page{width: 20}).fit(text); got != text {
		t.Errorf("what is no terminal gets %q", got)
	}
}

// sequences are the escape sequences that a terminal gets.
var sequences = regexp.MustCompile("\x1b\\[[?0-9;]*[a-zA-Z]")

// first returns the names in the order of the lines.
func first(lines []styled) (names []string) {
	for _, l := range lines {
		if name, _, _ := strings.Cut(l.text, " "); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestTopPutsTroubleFirst(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	id := backends.GrantID{Client: 1}
	state := func(name string, held time.Time, waited ...time.Time) backends.State {
		s := backends.State{Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1}}
		s.Holders = []backends.Holder{{ID: id, Weight: 1, Since: held}}
		for _, since := range waited {
			s.Waiters = append(s.Waiters, backends.Waiter{ID: id, Weight: 1, Since: since})
		}
		return s
	}
	v := sights{at: now, err: errors.Join(errors.New("b0rken: not a table"), errors.New("e2: \x1b[2J")), states: []backends.State{
		state("young", ago(time.Second)), state("old", ago(time.Hour)), state("foreign", time.Time{}),
		state("waits", ago(time.Second), ago(time.Minute)),
		state("longest", ago(time.Second), ago(time.Second), ago(time.Hour), ago(time.Second), ago(0), ago(0)),
		state(strings.Repeat("x", 900)+"end", ago(0)),
	}}.trouble()
	where, err := store.Parse("file:/x")
	if err != nil {
		t.Fatal(err)
	}
	lines := v.lines(where, page{60, 20, true})
	contains(t, lines[0].text, "6 names, 6 held, 6 waiting", "file:/x")
	want := []string{"b0rken:", "e2:", "NAME", "longest", "waits", "old", "young", "xxxxxxxxxxxxx…xxxend", "foreign"}
	if got := first(lines[1:]); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	contains(t, lines[4].text, "held")
	contains(t, lines[7].text, "waits, 3.")
	contains(t, lines[8].text, "and 2 more")
	if lines[1].style != bad || lines[5].style != waits || lines[4].style != plain {
		t.Errorf("styles: %q", lines)
	}
	if drawn := (page{60, 20, true}).frame(lines, false); strings.Contains(drawn, "\x1b[2J") {
		t.Errorf("an error reaches the terminal: %q", drawn)
	}
}
