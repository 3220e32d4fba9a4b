package cli

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/cmd/lockkeeper/internal/store"
)

// busyName is a name that one process holds and another waits for.
func busyName(name, label string) backends.State {
	owner := func(pid int) backends.Owner { return backends.Owner{Host: "db1.example.com", PID: pid, Label: label} }
	since := time.Now().Add(-100 * time.Hour)
	return backends.State{
		Resource: backends.Resource{Name: name, Kind: backends.Semaphore, Capacity: 1000},
		Holders: []backends.Holder{{
			ID: backends.GrantID{Client: 1, Seq: 1}, Weight: 1000, Token: math.MaxInt64, Since: since, Owner: owner(4_194_304),
		}},
		Waiters: []backends.Waiter{{ID: backends.GrantID{Client: 2, Seq: 1}, Weight: 1000, Since: since, Owner: owner(4_194_303)}},
	}
}

// However long names and labels are, a usual terminal shows who holds, and since when.
func TestTopShowsWhoHoldsOnATerminalOf80Columns(t *testing.T) {
	for _, name := range []string{"deploy", "account/4711/monthly-statement", strings.Repeat("W", 1024), strings.Repeat("船", 300), "\xff\x00\x1b[2J"} {
		for _, label := range []string{"", "backup", strings.Repeat("L", 500), strings.Repeat("錠", 100)} {
			v := sights{at: time.Now(), states: []backends.State{busyName(name, label)}}
			for _, p := range []page{{80, 24, true}, {80, 24, false}} {
				drawn := p.fit("title\n" + v.list(p))
				if p.escapes {
					drawn = p.frame(v.lines(store.Store{}, p), false)
				}
				contains(t, drawn, "pid 4194304 on db1", "pid 4194303 on db1", "waits, 1.", "100h0m0", "SINCE", "WHO")
			}
		}
	}
	wide := page{240, 24, true}
	contains(t, wide.frame(sights{states: []backends.State{busyName("a", "b")}}.lines(store.Store{}, wide), false), "TOKEN", "KIND", "PERMITS")
}

// A column begins at the same place in each line, as a terminal counts: a Chinese letter takes two
// places, an accent none.
func TestColumnsAreAlignedAsATerminalShowsThem(t *testing.T) {
	lines := aligned([]styled{{"a\tx", plain}, {"船\tx", plain}, {"e\u0301e\u0301e\u0301\tx", plain}, {"ｆ한あ\tx", plain}, {"", plain}})
	for _, l := range lines[:4] {
		before, _, found := strings.Cut(l.text, "x")
		if n := widthOf(before); !found || n != len("123456")+gap {
			t.Errorf("%q: the second column begins after %d", l.text, n)
		}
	}
	for text, want := range map[string]int{"": 0, "abc": 3, "żółw": 4, "שלום": 4, "日本語": 6, "🔒": 2, "e\u0301": 1, "𠀀": 2} {
		if got := widthOf(text); got != want {
			t.Errorf("%q is %d wide, not %d", text, got, want)
		}
	}
}

// What is cut is cut to columns, and no accent is left without its letter.
func TestTextsAreCutToColumns(t *testing.T) {
	for _, text := range []string{strings.Repeat("船", 50), strings.Repeat("e\u0301\u0302", 50), strings.Repeat("a船", 30)} {
		for width := range 30 {
			if n := widthOf(cut(text, width)); n > width || n < width-1 {
				t.Errorf("cut to %d: %d", width, n)
			}
			if got := clip(text, max(width, 8)); widthOf(got) > max(width, 8) || !strings.Contains(got, "…") || strings.Contains(got, "…\u0301") {
				t.Errorf("clipped to %d: %q", max(width, 8), got)
			}
		}
	}
}
