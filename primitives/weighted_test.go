package primitives

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The test-suite of golang.org/x/sync/semaphore, as it lies in the module cache, passes with only
// its import changed. An overlay shows it to the go command as a package of this module, so
// that nothing has to be fetched, nor written beside the sources.
func TestTheSuiteOfWeightedPasses(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs a test program of its own; not with -short")
	}
	const theirs, ours = `"golang.org/x/sync/semaphore"`, `semaphore "github.com/lockkeeper/lockkeeper/primitives"`
	module := strings.TrimSpace(run(t, "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sync"))
	suite, err := filepath.Glob(filepath.Join(module, "semaphore", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	if len(suite) == 0 {
		t.Fatalf("there are no tests of x/sync/semaphore in %q", module)
	}
	files, imports := map[string]string{}, 0
	for _, file := range suite {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		imports += bytes.Count(text, []byte(theirs))
		files["weightedsuite/"+filepath.Base(file)] = strings.ReplaceAll(string(text), theirs, ours)
	}
	if imports == 0 {
		t.Fatalf("none of %v imports %s: there is nothing to change", suite, theirs)
	}
	program := filepath.Join(t.TempDir(), "suite")
	run(t, "go", "test", "-c", "-vet=off", "-o", program, "-overlay", overlay(t, files), "./weightedsuite")
	out := run(t, program, "-test.v")
	if ran := strings.Count(out, "--- PASS: TestWeighted"); ran < 6 {
		t.Fatalf("only %d tests of Weighted ran:\n%s", ran, out)
	}
}

// run runs a command that must succeed, and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// overlay describes files that the go command shall see in this folder, by their names
// relative to it, and returns the name of the description.
func overlay(t *testing.T, files map[string]string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range files {
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, filepath.FromSlash(name))] = copied
	}
	description, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, description, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
