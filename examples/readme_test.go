package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var program = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")

// outputs of the README's programs, in their order.
var outputs = []string{
	"held\n",
	"both held\n<nil> <nil>\n",
	"held, with a fencing token: true\n",
}

func TestProgramsOfTheREADMERun(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := program.FindAllSubmatch(readme, -1)
	if len(programs) != len(outputs) {
		t.Fatalf("%d programs, want %d", len(programs), len(outputs))
	}
	t.Setenv("TMPDIR", t.TempDir())
	for i, p := range programs {
		source := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(source, p[1], 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("gofmt", "-l", source).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("program %d is not formatted: %s %v", i+1, out, err)
		}
		out, err := exec.Command("go", "run", source).CombinedOutput()
		if err != nil || string(out) != outputs[i] {
			t.Errorf("program %d: %v, output %q, want %q", i+1, err, out, outputs[i])
		}
	}
}
