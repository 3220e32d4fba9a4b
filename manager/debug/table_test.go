package debug

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// stats are those of resources, which have to be sorted by name.
func stats(at time.Time, rows ...manager.ResourceStats) *manager.Stats {
	s := &manager.Stats{Time: at, Resources: rows}
	for i := range rows {
		s.Waiting += rows[i].Waiting
		s.Totals.Lost += rows[i].Lost
	}
	return s
}

func live(name string) manager.ResourceStats {
	return manager.ResourceStats{Name: name, KindName: "mutex"}
}

func namesOf(t *table) (list []string) {
	for _, r := range t.Rows {
		list = append(list, r.Name)
	}
	return list
}

func ask(target string) query { return parseQuery(httptest.NewRequest(http.MethodGet, target, nil)) }

func TestTroubleComesFirst(t *testing.T) {
	idle, held, heldLonger, waits, waitsLonger, lost := live("a"), live("b"), live("c"), live("d"), live("e"), live("f")
	held.LongestHold, held.Holding = noon.Add(-time.Second), 1
	heldLonger.LongestHold, heldLonger.Holding = noon.Add(-time.Hour), 1
	waits.OldestWaiter, waits.Waiting = noon.Add(-time.Second), 1
	waitsLonger.OldestWaiter, waitsLonger.Waiting = noon.Add(-time.Minute), 1
	lost.Lost = 1
	s := stats(noon, idle, held, heldLonger, waits, waitsLonger, lost)
	h := newBoard()
	h.past.sample(s)
	if got := namesOf(h.table(s, ask("/"))); !slices.Equal(got, []string{"f", "e", "d", "c", "b", "a"}) {
		t.Errorf("by trouble: %q", got)
	}
	if got := namesOf(h.table(s, ask("/?sort=name"))); !slices.Equal(got, []string{"a", "b", "c", "d", "e", "f"}) {
		t.Errorf("by name: %q", got)
	}
	if r := h.table(s, ask("/")).Rows[0]; r.Class != "bad" || len(r.Wrong) != 1 || r.Spark == nil || len(r.Spark.Marks) != 1 {
		t.Errorf("lost: %+v", r)
	}
	s.Time = noon.Add(window + slotLength)
	h.past.sample(s)
	if got := namesOf(h.table(s, ask("/"))); got[0] != "e" {
		t.Errorf("a loss of long ago still comes first: %q", got)
	}
}

// What was lost is shown although its name is out of use, until the window has passed.
func TestALossOutlivesItsName(t *testing.T) {
	lost := live("lost")
	lost.Lost = 2
	h := newBoard()
	h.past.sample(stats(noon, live("a"), lost, live("z")))
	s := stats(noon.Add(time.Minute), live("a"), live("z"))
	h.past.sample(s)
	table := h.table(s, ask("/"))
	if got := namesOf(table); !slices.Equal(got, []string{"lost", "a", "z"}) || !table.Rows[0].Gone || table.Rows[1].Gone {
		t.Errorf("%q, %+v", got, table.Rows)
	}
	s.Time = noon.Add(window + slotLength)
	h.past.sample(s)
	if got := namesOf(h.table(s, ask("/"))); !slices.Equal(got, []string{"a", "z"}) || len(h.past.names) != 0 {
		t.Errorf("later: %q, %d remembered", got, len(h.past.names))
	}
}

func TestTheTableIsCutIntoPagesAndSearched(t *testing.T) {
	var rows []manager.ResourceStats
	for i := range 1000 {
		rows = append(rows, live(fmt.Sprintf("name %04d", i)))
	}
	rows[7].Waiters = []manager.WaiterStats{{Site: "/src/Ship.go:41"}}
	s := stats(noon, rows...)
	h := newBoard()
	for target, want := range map[string]struct {
		summary, first string
		n              int
		before, after  bool
	}{
		"/":                {"1 to 200 of 1 000 names", "name 0000", 200, false, true},
		"/?page=3":         {"401 to 600 of 1 000 names", "name 0400", 200, true, true},
		"/?page=5":         {"801 to 1 000 of 1 000 names", "name 0800", 200, true, false},
		"/?page=99":        {"801 to 1 000 of 1 000 names", "name 0800", 200, true, false},
		"/?page=-1":        {"1 to 200 of 1 000 names", "name 0000", 200, false, true},
		"/?q=NAME+000":     {"10 of 1 000 names", "name 0000", 10, false, false},
		"/?q=ship.go":      {"1 of 1 000 names", "name 0007", 1, false, false},
		"/?q=%00":          {"0 of 1 000 names", "", 0, false, false},
		"/?q=name&page=2":  {"201 to 400 of 1 000 names", "name 0200", 200, true, true},
		"/?q=%zz&page=abc": {"1 to 200 of 1 000 names", "name 0000", 200, false, true},
	} {
		got := h.table(s, ask(target))
		first := ""
		if len(got.Rows) > 0 {
			first = got.Rows[0].Name
		}
		if summary := strings.ReplaceAll(got.Summary, space, " "); summary != want.summary || first != want.first ||
			len(got.Rows) != want.n || got.Previous != "" != want.before || got.Next != "" != want.after {
			t.Errorf("%s: %q, %q, %d rows, before %q, after %q", target, summary, first, len(got.Rows), got.Previous, got.Next)
		}
	}
	if got := h.table(s, ask("/?q=name&page=2")).Next; got != "?page=3&q=name" {
		t.Errorf("next: %s", got)
	}
}
