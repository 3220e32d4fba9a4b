package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/suites"
	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) {
	harness.Dispatch(suites.Parts())
	leaktest.Main(m)
}

func TestQuickRunPrintsATableAndAReportWithoutVerdicts(t *testing.T) {
	var out, errs strings.Builder
	md := filepath.Join(t.TempDir(), "report.md")
	if code := run(t.Context(), []string{"-quick", "-suite", "actor", "-run", "^Ask", "-md", md}, &out, &errs); code != 0 {
		t.Fatalf("status %d\n%s", code, &errs)
	}
	report, err := os.ReadFile(md)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^- (.*, )?golang.org/x/sync v\d`).Match(report) {
		t.Errorf("no version of a library in\n%s", report)
	}
	for _, text := range []string{out.String(), string(report)} {
		if !strings.Contains(text, "Ask round trip") || !strings.Contains(text, "≤ 1.2 ×") {
			t.Errorf("no row for Ask:\n%s", text)
		}
		if strings.Contains(text, "NOT MET") || strings.Contains(text, "Tell") {
			t.Errorf("a verdict from a quick run, or a case that was not asked for:\n%s", text)
		}
	}
}

func TestARunDrawsItsPicturesAndWritesItsRounds(t *testing.T) {
	var out, errs strings.Builder
	dir := t.TempDir()
	args := []string{
		"-quick", "-suite", "inprocess", "-run", "^Mutex, 2 goroutines",
		"-md", filepath.Join(dir, "docs", "report.md"), "-plots", filepath.Join(dir, "docs", "img"),
		"-gobench", filepath.Join(dir, "rounds.txt"),
	}
	if err := os.Mkdir(filepath.Join(dir, "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), args, &out, &errs); code != 0 {
		t.Fatalf("status %d\n%s", code, &errs)
	}
	for name, want := range map[string]string{
		"docs/report.md":                   `src="img/bench-scaling-light.svg"`,
		"docs/img/bench-scaling-light.svg": "<svg",
		"docs/img/bench-scaling-dark.svg":  "<svg",
		"rounds.txt":                       "Benchmarkinprocess/Mutex,_2_goroutines/primitives 1 ",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v; %q is missing in\n%s", name, err, want, text)
		}
	}
}

func TestBadUseIsRefused(t *testing.T) {
	for _, args := range [][]string{{"-suite", "nosuch"}, {"-rounds", "0"}, {"-time", "-1s"}, {"-run", "("}, {"extra"}, {"-nosuch"}} {
		var out, errs strings.Builder
		if code := run(t.Context(), args, &out, &errs); code != 2 || errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("%q: status %d, %q on stdout, %q on stderr; want 2 and a reason on stderr", args, code, &out, &errs)
		}
	}
}
