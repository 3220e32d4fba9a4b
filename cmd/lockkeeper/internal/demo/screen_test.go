package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/history"
)

var scene = Scene{
	Elapsed: 4 * time.Second, Duration: 6 * time.Second,
	Workers: []Actor{
		{Process: "1", PID: 11, Grants: 3000},
		{Process: "2", PID: 12, Grants: 1000, Killed: 3 * time.Second},
		{Process: "3", PID: 13, Grants: 1000, Replaces: "2"},
	},
}

func TestPlainTellsAKillOnce(t *testing.T) {
	var out strings.Builder
	p := &Plain{Out: &out}
	p.Say("title")
	p.Show(scene)
	p.Show(scene)
	const want = `title
 3.0 s  process 2 (pid 12) killed with SIGKILL; process 3 (pid 13) takes its place
 4.0 s  5 000 grants
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestLiveDrawsInPlace(t *testing.T) {
	var out strings.Builder
	l := &Live{Out: &out, Width: 80}
	l.Show(scene)
	first := strings.Count(out.String(), "\n")
	out.Reset()
	l.Show(scene)
	if first != 4 || !strings.HasPrefix(out.String(), "\x1b[4A"+erase) {
		t.Errorf("%d lines, then %q", first, out.String())
	}
	for _, part := range []string{"✗ at 3.0 s", "in place of 2", "5 000 grants"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in\n%s", part, out.String())
		}
	}
}

func TestVerdictIsTold(t *testing.T) {
	h := &history.Verdict{Grants: 5000, Names: 1, Jain: 1, Processes: map[string]int{"1": 3000, "2": 1000, "3": 1000}}
	v := &Verdict{History: h, Counters: []Counter{{Name: "a", Value: 5000, Recorded: 4999, Inherited: 1}}}
	var out strings.Builder
	(&Plain{Out: &out}).Judge(v, scene)
	for _, part := range []string{"VERDICT: correct", "5 000", "60.0 %  40.0 %", "1 written by the killed process"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in\n%s", part, out.String())
		}
	}
	v.fault("something is wrong")
	out.Reset()
	(&Live{Out: &out, Colour: true}).Judge(v, scene)
	for _, part := range []string{"VERDICT: VIOLATED", "something is wrong"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is missing in\n%s", part, out.String())
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1 000", 1234567: "1 234 567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
