package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var program = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")

// outputs of the README's programs, in their order.
var outputs = []string{
	"held, with a fencing token: true\none of many readers\none of five on all machines\nboth at once\n" +
		"the only leader, until ctx ends\n",
	"held\n",
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
	server := redistest.Start(t)
	for i, p := range programs {
		source := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(source, bytes.ReplaceAll(p[1], []byte("localhost:6379"), []byte(server.Addr)), 0o600); err != nil {
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
