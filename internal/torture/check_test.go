//go:build linux

package torture

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// story is a history that a test makes up.
type story struct {
	events []event
	ids    int64
}

func (s *story) add(e event) { s.events = append(s.events, e) }

// held adds a hold of all of a mutex from its request to its release, in milliseconds.
func (s *story) held(process, name string, token uint64, requested, from, to, until int64) {
	s.ids++
	e := event{Process: process, ID: s.ids, Name: name, Cap: 1, Weight: 1}
	with := func(k kind, at int64, change func(e *event)) {
		e := e
		e.Kind, e.At = k, at*ms
		change(&e)
		s.add(e)
	}
	with(asked, requested, func(*event) {})
	with(granted, from, func(e *event) { e.Token, e.From, e.Until = token, requested*ms, until*ms })
	with(ended, to, func(e *event) { e.Text = "released" })
	with(freed, to+1, func(e *event) { e.Text = "ok" })
}

func (s *story) judge() *Verdict {
	c := Defaults()
	var steps []Step
	for _, f := range []Fault{
		{Name: "flushall", Outside: true}, {Name: "clock-ahead", Outside: true, Reach: ClockReach},
		{Name: "two-primaries", Outside: true, Split: true}, {Name: "promotion", Behind: true}, {Name: "stop"},
		{Name: "clock-back", Back: true},
	} {
		steps = append(steps, Step{Fault: f})
	}
	slices.SortStableFunc(s.events, func(a, b event) int { return int(a.At - b.At) })
	return judge(&round{Config: c, store: "made up", steps: steps, events: s.events})
}

func TestChecksFindWhatTheyAreFor(t *testing.T) {
	fine := func(s *story) {
		s.held("p0.0", "m0", 1, 1, 2, 10, 1000)
		s.held("p1.0", "m0", 2, 5, 12, 20, 1000)
	}
	tests := []struct {
		name  string
		check string // that finds it; empty: none
		tell  func(s *story)
	}{
		{"handed over", "", fine},
		{"two at once", "exclusion", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 10, 1000)
			s.held("p1.0", "m0", 2, 5, 9, 20, 1000)
		}},
		{"the old one has not seen yet that it is over", "", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 500, 100)
			s.held("p1.0", "m0", 2, 5, 101, 200, 1000)
		}},
		{"two at once after a loss of data", "", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 10, 1000)
			s.add(event{Kind: fault, Process: "main", Name: "flushall", At: 4 * ms, Until: 5 * ms})
			s.held("p1.0", "m0", 2, 5, 9, 20, 1000)
		}},
		{"two at once after a fault that loses nothing", "exclusion", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 10, 1000)
			s.add(event{Kind: fault, Process: "main", Name: "stop", At: 4 * ms, Until: 5 * ms, Text: "p1.0"})
			s.held("p1.0", "m0", 2, 5, 9, 20, 1000)
		}},
		{"two at once long after a loss of data", "exclusion", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 3000, 4000)
			s.add(event{Kind: fault, Process: "main", Name: "flushall", At: 4 * ms, Until: 5 * ms})
			s.held("p1.0", "m0", 2, 5, 9, 2500, 4000)
		}},
		{"handed on after a loss of data, under the grant of before", "", func(s *story) {
			s.add(event{Kind: placed, Process: "p0.0", At: 2 * ms, Name: "m0", Token: 1, From: 1 * ms})
			s.held("p0.0", "m0", 1, 1, 2, 3, 1000)
			s.add(event{Kind: fault, Process: "main", Name: "flushall", At: 4 * ms, Until: 5 * ms})
			s.held("p1.0", "m0", 100, 6, 7, 20, 1000)
			s.held("p0.0", "m0", 2, 8, 9, 10, 1000)
		}},
		{"a smaller token after a loss of data, and the clock set back", "", func(s *story) {
			s.held("p0.0", "m0", 100, 1, 2, 3, 1000)
			s.add(event{Kind: fault, Process: "main", Name: "flushall", At: 4 * ms, Until: 5 * ms})
			s.add(event{Kind: fault, Process: "main", Name: "clock-back", At: 6 * ms, Until: 7 * ms})
			s.held("p1.0", "m0", 50, 8, 9, 20, 1000)
		}},
		{"a smaller token though the data was lost before both, and the clock set back", "tokens", func(s *story) {
			s.add(event{Kind: fault, Process: "main", Name: "flushall", At: 1 * ms, Until: 2 * ms})
			s.add(event{Kind: fault, Process: "main", Name: "clock-back", At: 3 * ms, Until: 4 * ms})
			s.held("p0.0", "m0", 100, 5, 6, 7, 1000)
			s.held("p1.0", "m0", 50, 8, 9, 20, 1000)
		}},
		{"a smaller token after a loss of data", "tokens", func(s *story) {
			s.held("p0.0", "m0", 100, 1, 2, 3, 1000)
			s.add(event{Kind: fault, Process: "main", Name: "flushall", At: 4 * ms, Until: 5 * ms})
			s.held("p1.0", "m0", 50, 8, 9, 20, 1000)
		}},
		{"a smaller token though only the clock was set back", "tokens", func(s *story) {
			s.held("p0.0", "m0", 100, 1, 2, 3, 1000)
			s.add(event{Kind: fault, Process: "main", Name: "clock-back", At: 6 * ms, Until: 7 * ms})
			s.held("p1.0", "m0", 50, 8, 9, 20, 1000)
		}},
		{"believes in its lease for longer than the store does", "validity", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 500, 1000)
			s.add(event{Kind: looked, Process: "p0.0", At: 50 * ms, ID: 1, Name: "m0", Until: 1100 * ms})
			s.add(event{Kind: kept, Process: "main", Name: "m0", From: 60 * ms, At: 61 * ms, Until: 1099 * ms, Text: "p0.0"})
		}},
		{"had its lease renewed after the store was asked", "", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 500, 1000)
			s.add(event{Kind: looked, Process: "p0.0", At: 50 * ms, ID: 1, Name: "m0", Until: 1000 * ms})
			s.add(event{Kind: kept, Process: "main", Name: "m0", From: 60 * ms, At: 80 * ms, Until: 1050 * ms, Text: "p0.0"})
			s.add(event{Kind: looked, Process: "p0.0", At: 70 * ms, ID: 1, Name: "m0", Until: 1100 * ms})
		}},
		{"has released while the store was asked", "", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 70, 1000)
			s.add(event{Kind: looked, Process: "p0.0", At: 50 * ms, ID: 1, Name: "m0", Until: 1000 * ms})
			s.add(event{Kind: kept, Process: "main", Name: "m0", From: 60 * ms, At: 80 * ms, Until: 90 * ms, Text: "p0.0"})
		}},
		{"the store has forgotten a renewal", "", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 500, 1000)
			s.add(event{Kind: looked, Process: "p0.0", At: 50 * ms, ID: 1, Name: "m0", Until: 1100 * ms})
			s.add(event{Kind: fault, Process: "main", Name: "promotion", At: 55 * ms, Until: 58 * ms})
			s.add(event{Kind: kept, Process: "main", Name: "m0", From: 60 * ms, At: 61 * ms, Until: 900 * ms, Text: "p0.0"})
		}},
		{"the token goes back", "tokens", func(s *story) {
			s.held("p0.0", "m0", 2, 1, 2, 10, 1000)
			s.held("p1.0", "m0", 1, 5, 12, 20, 1000)
		}},
		{"one token for two", "tokens", func(s *story) {
			s.held("p0.0", "m0", 2, 1, 2, 10, 1000)
			s.held("p1.0", "m0", 2, 5, 12, 20, 1000)
		}},
		{"a valid holder is refused", "fence", func(s *story) {
			fine(s)
			s.add(event{Kind: wrote, Process: "p0.0", At: 8 * ms, ID: 1, Name: "m0", Token: 1, Text: "refused"})
		}},
		{"overtaken", "order", func(s *story) {
			s.add(event{Kind: placed, Process: "p0.0", At: 30 * ms, Name: "m0", Token: 2, From: 1 * ms, Mid: 2 * ms})
			s.add(event{Kind: placed, Process: "p1.0", At: 20 * ms, Name: "m0", Token: 1, From: 3 * ms, Mid: 4 * ms})
		}},
		{"a smaller token after a loss of data", "", func(s *story) {
			s.add(event{Kind: placed, Process: "p0.0", At: 30 * ms, Name: "m0", Token: 2, From: 1 * ms, Mid: 2 * ms})
			s.add(event{Kind: fault, At: 100 * ms, Until: 101 * ms, Name: "flushall"})
			s.add(event{Kind: placed, Process: "p1.0", At: 9020 * ms, Name: "m0", Token: 1, From: 9003 * ms, Mid: 9004 * ms})
		}},
		{"a smaller token for a request that lived through a loss of data", "", func(s *story) {
			s.add(event{Kind: placed, Process: "p0.0", At: 30 * ms, Name: "m0", Token: 2, From: 1 * ms, Mid: 2 * ms})
			s.add(event{Kind: fault, At: 100 * ms, Until: 101 * ms, Name: "flushall"})
			s.add(event{Kind: placed, Process: "p1.0", At: 130 * ms, Name: "m0", Token: 1, From: 4 * ms, Mid: 5 * ms})
		}},
		{"overtaken after a loss of data", "order", func(s *story) {
			s.add(event{Kind: fault, At: 100 * ms, Until: 101 * ms, Name: "flushall"})
			s.add(event{Kind: placed, Process: "p0.0", At: 9030 * ms, Name: "m0", Token: 2, From: 9001 * ms, Mid: 9002 * ms})
			s.add(event{Kind: placed, Process: "p1.0", At: 9020 * ms, Name: "m0", Token: 1, From: 9003 * ms, Mid: 9004 * ms})
		}},
		{"granted before its minimum was over", "least", func(s *story) {
			s.held("p0.0", hourly.name, 1, 1, 2, 10, 1000)
			for i := range s.events {
				if s.events[i].Kind == granted {
					s.events[i].Mid = 50 * ms
				}
			}
			s.held("p1.0", hourly.name, 2, 5, 40, 60, 1000)
		}},
		{"told long after the next grant", "told", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 2000, 1000)
			s.add(event{Kind: told, Process: "p0.0", At: 1900 * ms, ID: 1, Name: "m0"})
			s.held("p1.0", "m0", 2, 5, 1001, 1010, 3000)
		}},
		{"woken by the heartbeat", "wake-up", func(s *story) {
			for i := range int64(40) {
				at := i * 1000
				s.held([]string{"p0.0", "p1.0"}[i%2], "m0", uint64(i+1), at-500, at+400, at+500, at+1000)
			}
		}},
		{"forgotten", "progress", func(s *story) {
			s.held("p0.0", longs[0].name, 1, 1, 2, 10, 1000)
			s.held("p1.0", longs[0].name, 2, 5, 14000, 14010, 15000)
		}},
		{"a grant read long after the clock was set ahead", "", func(s *story) {
			s.add(event{Kind: fault, At: 100 * ms, Until: 101 * ms, Name: "clock-ahead"})
			s.held("p0.0", "m0", 1, 50, 2500, 3000, 3100)
			s.held("p1.0", "m0", 2, 60, 2100, 2600, 3000)
		}},
		{"two at once, long after a loss of data", "exclusion", func(s *story) {
			s.add(event{Kind: fault, At: 100 * ms, Until: 101 * ms, Name: "flushall"})
			s.held("p0.0", "m0", 1, 50, 2500, 3000, 3100)
			s.held("p1.0", "m0", 2, 60, 2100, 2600, 3000)
		}},
		{"granted by two primaries", "", func(s *story) {
			s.add(event{Kind: fault, At: 1 * ms, Until: 400 * ms, Name: "two-primaries"})
			s.held("p0.0", "window0", 2, 10, 20, 40, 1000)
			s.held("p1.0", "window0", 1, 11, 21, 41, 1000)
		}},
		{"granted before and after a loss of data", "", func(s *story) {
			s.held("p0.0", "window0", 1, 10, 20, 140, 1000)
			s.add(event{Kind: fault, At: 100 * ms, Until: 101 * ms, Name: "flushall"})
			s.held("p1.0", "window0", 2, 105, 110, 150, 1000)
		}},
		{"refused though it was free", "linear", func(s *story) {
			s.held("p0.0", "window0", 1, 1, 2, 10, 1000)
			s.add(event{Kind: asked, Process: "p1.0", At: 20 * ms, ID: 9, Name: "window0", Cap: 1, Weight: 1, Try: true})
			s.add(event{Kind: failed, Process: "p1.0", At: 21 * ms, ID: 9, Name: "window0", Text: "busy"})
		}},
		{"an answer that nobody expects", "answers", func(s *story) {
			s.add(event{Kind: asked, Process: "p1.0", At: 20 * ms, ID: 9, Name: "m0", Cap: 1, Weight: 1})
			s.add(event{Kind: failed, Process: "p1.0", At: 21 * ms, ID: 9, Name: "m0", Text: "unexpected: oops"})
		}},
		{"lost, and the cause says unexpected", "", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 10, 1000)
			s.events[2].Text = "lost: expired: unexpected EOF"
		}},
		{"a release that fails as nobody expects", "answers", func(s *story) {
			s.held("p0.0", "m0", 1, 1, 2, 10, 1000)
			s.events[3].Text = "unexpected: oops"
		}},
		{"something left", "left", func(s *story) {
			s.add(event{Kind: closed, Process: "p1.0", At: 20 * ms, Text: "a goroutine"})
		}},
	}
	covered := make(map[string]bool)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &story{}
			test.tell(s)
			covered[test.check] = true
			found := slices.Sorted(maps.Keys(s.judge().Counts))
			if want := test.check; want == "" && len(found) > 0 || want != "" && !slices.Contains(found, want) {
				t.Errorf("found by %q; want %q", found, want)
			}
		})
	}
	for _, c := range checks {
		if !covered[c.name] {
			t.Errorf("no history here breaks what %q is for", c.name)
		}
	}
}

func TestAScheduleFollowsFromItsSeed(t *testing.T) {
	c := Defaults()
	steps := func(seed uint64) []Step { return schedule(random(seed, "redis"), c, c.faults(Redis())) }
	if a, b := steps(7), steps(7); !reflect.DeepEqual(a, b) {
		t.Errorf("one seed, two schedules:\n%v\n%v", a, b)
	}
	if reflect.DeepEqual(steps(7), steps(8)) {
		t.Error("two seeds, one schedule")
	}
	happened := make(map[string]bool)
	for _, s := range steps(rand.Uint64()) {
		happened[s.Fault.Name] = true
	}
	for _, f := range c.faults(Redis()) {
		if !happened[f.Name] {
			t.Errorf("a minute without %s", f.Name)
		}
	}
}

func TestTheRegisterRefusesSmallerTokens(t *testing.T) {
	path := t.TempDir() + "/register"
	a, err := openRegister(path, []string{"x", "y"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := openRegister(path, []string{"x", "y"})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		r     *register
		name  string
		token uint64
		taken bool
	}{{a, "y", 3, true}, {b, "y", 2, false}, {b, "x", 2, true}, {b, "y", 4, true}, {a, "y", 3, false}, {a, "y", 4, true}} {
		if taken := w.r.write(w.name, w.token); taken != w.taken {
			t.Errorf("a write to %s with token %d is taken: %v", w.name, w.token, taken)
		}
	}
	for _, r := range []*register{a, b} {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}
}

// The page of the torture lists each seeded bug with its store, its check and its faults, and no other.
func TestThePageListsTheSeededBugs(t *testing.T) {
	page, err := os.ReadFile("../../docs/torture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), "\n## Seeded bugs\n")
	list, _, _ = strings.Cut(list, "\n## ")
	for _, m := range mutants {
		needs := "any"
		if len(m.needs) > 0 {
			needs = strings.Join(m.needs, ", ")
		}
		if row := fmt.Sprintf("| %s | %s | %s | %s |\n", m.Name, m.Store, m.Found, needs); !strings.Contains(list, row) {
			t.Errorf("not in the list: %s", row)
		}
	}
	if rows := strings.Count(list, "\n|") - 2; rows != len(mutants) {
		t.Errorf("%d rows, %d seeded bugs", rows, len(mutants))
	}
}

func TestEverySeededBugIsForACheck(t *testing.T) {
	for _, m := range mutants {
		if !slices.ContainsFunc(checks, func(c check) bool { return c.name == m.Found }) {
			t.Errorf("%s: there is no check %q", m.Name, m.Found)
		}
	}
}
