package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const goMod = `module example.com/program

go 1.25.0

require github.com/lockkeeper/lockkeeper v0.0.0

replace github.com/lockkeeper/lockkeeper => `

const wrong = `package program

import (
	"context"

	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/primitives"
)

func Run(ctx context.Context, locks *manager.Manager, mu *primitives.Mutex) error {
	locks.Lock("x")
	mu.Lock(ctx)
	lease, err := locks.Lock("y").Acquire(ctx)
	if err != nil {
		return err
	}
	return lease.Context().Err()
}
`

// right is wrong with all mistakes mended.
var right = strings.NewReplacer(
	`	locks.Lock("x")`, `	defer func(manager.Claim) {}(locks.Lock("x"))`,
	`	mu.Lock(ctx)`, `	if mu.Lock(ctx) != nil { return nil }`,
	`	return lease`, `	defer lease.Release(); return lease`,
).Replace(wrong)

var messages = []string{
	`program.go:11:2: locks.Lock("x") only describes a claim and locks nothing: call Acquire or Do on it`,
	`program.go:12:2: the error of mu.Lock(ctx) is ignored: if the context ends, ` +
		`the code that follows runs without the lock`,
	`program.go:13:16: lease may be held at the return on line 17: call lease.Release(), ` +
		`best deferred after the check of the error`,
}

func TestGoVetAndTheCommandAloneReportAllMistakesAndFailAndAcceptTheMendedProgram(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "lockkeeper-vet.exe")
	if out, err := command(t, ".", "go", "build", "-o", tool, "."); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "go.mod", goMod+root+"\n")
	ways := map[string][]string{
		"go vet": {"go", "vet", "-vettool=" + tool, "./..."},
		"alone":  {tool, "./..."},
	}
	for way, args := range ways {
		write(t, dir, "program.go", wrong)
		out, err := command(t, dir, args...)
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Errorf("%s: a program with mistakes: %v", way, err)
		}
		for _, message := range messages {
			if strings.Count(out, message) != 1 {
				t.Errorf("%s does not say once\n%s\nbut\n%s", way, message, out)
			}
		}
		write(t, dir, "program.go", right)
		if out, err := command(t, dir, args...); err != nil || out != "" {
			t.Errorf("%s: a program without mistakes: %v\n%s", way, err, out)
		}
	}
}

func command(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
