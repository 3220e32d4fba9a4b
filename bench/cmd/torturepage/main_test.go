//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/torture"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestSectionIsReplacedAndHasWhatWasFound(t *testing.T) {
	dir := t.TempDir()
	page, report, img := filepath.Join(dir, "torture.md"), filepath.Join(dir, "report.json"), filepath.Join(dir, "img")
	c := torture.Defaults()
	c.Seed = 7
	r := &torture.Report{
		Config: c, Rounds: 30, Duration: 30 * time.Minute,
		Faults: map[string][]torture.Fault{"file": {{Name: "kill"}}, "redis": {{Name: "kill"}, {Name: "flushall"}}},
		Verdicts: map[string]*torture.Verdict{
			"file": {
				Store: "file", Operations: map[string]int{"granted": 12}, Faults: map[string]int{"kill": 3},
				Margins: map[string][]time.Duration{"wait": {time.Millisecond, 3 * time.Millisecond}},
			},
			"redis": {
				Store: "redis", Operations: map[string]int{"busy": 4}, Figures: map[string]int{"fence": 99}, Lost: 5,
				Counts: map[string]int{"fence": 1}, Violations: []torture.Violation{{Check: "fence", Text: "refused"}},
			},
		},
	}
	if err := r.Write(report); err != nil {
		t.Fatal(err)
	}
	rest := filepath.Join(dir, "rest.json")
	more := &torture.Report{
		Rounds: 2, Duration: 2 * time.Minute,
		Verdicts: map[string]*torture.Verdict{"file": {
			Store: "file", Operations: map[string]int{"granted": 3}, Margins: map[string][]time.Duration{"wait": {5 * time.Millisecond}},
		}},
	}
	if err := more.Write(rest); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, []byte("# Torture\n\n"+heading+"\nbefore this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time finds what the first has written
		if err := run([]string{"-page", page, "-plots", img, report, rest}, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Torture\n\n" + heading, "32m0s", "32 rounds", "seeds from 7 on", "Violations: 1.", "- redis, fence: refused",
		"| fault | file | redis |", "| kill | 3 | 0 |", "| flushall | – | 0 |", "| granted | 15 | 0 |", "| busy | 0 | 4 |",
		"| lost | 0 | 5 |", "| fence | 0 | 99 |", "less the faults, at most | 5ms | – |", `src="img/torture-wait-light.svg"`,
	} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q stands %d times in\n%s", want, strings.Count(string(text), want), text)
		}
	}
	if strings.Contains(string(text), "before this") {
		t.Error("the old section is still there")
	}
	if _, err := os.Stat(filepath.Join(img, "torture-wait-dark.svg")); err != nil {
		t.Error(err)
	}
}

func TestMistakesChangeNothing(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "torture.md")
	if err := os.WriteFile(page, []byte("# Torture\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, broken := filepath.Join(dir, "report.json"), filepath.Join(dir, "broken.json")
	if err := (&torture.Report{}).Write(report); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {report}, {"-page", page, "-plots", dir}, {"-page", page, "-plots", dir, broken},
		{"-page", page, "-plots", dir, filepath.Join(dir, "absent")}, {"-page", page, "-plots", dir, report}, // no section
	} {
		if err := run(args, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	if text, err := os.ReadFile(page); err != nil || string(text) != "# Torture\n" {
		t.Errorf("the page is now %q, %v", text, err)
	}
}
