// Package command measures the command line: what `lockkeeper run` adds to a command, and many of them at once on
// one name. It builds the command first, so it needs the go tool and to be run inside this module.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// ours is the side that is judged.
const ours = "lockkeeper run"

// Suite returns the suite.
func Suite() harness.Suite {
	return harness.Suite{Name: "command", Open: func(ctx context.Context, _ bool) ([]harness.Case, func() error, error) {
		dir, err := os.MkdirTemp("", "lkbench")
		if err != nil {
			return nil, nil, err
		}
		p := program{path: filepath.Join(dir, "lockkeeper"), dir: dir}
		if err := p.build(ctx); err != nil {
			return nil, nil, errors.Join(err, os.RemoveAll(dir))
		}
		return []harness.Case{p.overhead(), p.crowd(500)}, func() error { return os.RemoveAll(dir) }, nil
	}}
}

// program is the command, built.
type program struct{ path, dir string }

// build builds the command from the library that this module uses.
func (p program) build(ctx context.Context) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/lockkeeper/lockkeeper").Output()
	if err != nil {
		return fmt.Errorf("find the library: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.path, "./cmd/lockkeeper")
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return nil
}

// run returns a command under the lock of that name.
func (p program) run(ctx context.Context, store, name string, command ...string) *exec.Cmd {
	args := []string{"run", "--store", "file:" + store, name, "--"}
	return exec.CommandContext(ctx, p.path, append(args, command...)...)
}

// overhead is what the lock adds to a command that does nothing.
func (p program) overhead() harness.Case {
	return harness.Case{
		Name:   "run NAME -- true",
		Models: "a cron job that must not overlap itself",
		Rounds: 3,
		Sides: []harness.Side{{Name: ours, Run: func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
			var locked, plain []float64
			for range b.Pick(100, 2) {
				for _, c := range []struct {
					cmd  *exec.Cmd
					into *[]float64
				}{
					{exec.CommandContext(ctx, "true"), &plain},
					{p.run(ctx, filepath.Join(p.dir, "store"), "overhead", "true"), &locked},
				} {
					start := time.Now()
					if err := c.cmd.Run(); err != nil {
						return nil, fmt.Errorf("%v: %w", c.cmd, err)
					}
					*c.into = append(*c.into, time.Since(start).Seconds()*1e3)
				}
			}
			return harness.Metrics{
				"ms more":   harness.NewSpread(locked).Median - harness.NewSpread(plain).Median,
				"ms, true":  harness.NewSpread(plain).Median,
				"ms, lock":  harness.NewSpread(locked).Median,
				"worst, ms": harness.NewSpread(locked).Max,
			}, nil
		}}},
		Checks: []harness.Check{
			{What: "lockkeeper run NAME -- true, over true", Metric: "ms more", Ours: ours, Bound: 15},
		},
	}
}

// crowd is many commands started at once: each reads a number from a file and writes back one more.
func (p program) crowd(n int) harness.Case {
	what := fmt.Sprintf("%d commands at once on one name", n)
	return harness.Case{
		Name:   what,
		Models: "every host of a fleet runs its job at midnight",
		Rounds: 1,
		Sides: []harness.Side{{Name: ours, Run: func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
			return p.together(ctx, b.Pick(n, 5))
		}}},
		Checks: []harness.Check{
			{What: what + ": lost updates", Metric: "lost updates", Ours: ours, Bound: 0, Worst: true},
			{What: what + ": tokens out of order", Metric: "out of order", Ours: ours, Bound: 0, Worst: true},
			{What: what + ": s in all", Metric: "s", Ours: ours, NoTarget: true},
			{What: what + ": files left", Metric: "files left", Ours: ours, NoTarget: true},
		},
	}
}

// script is the job. It is not atomic, on purpose.
const script = `n=$(cat count); echo $((n+1)) > count; echo "$LOCK_TOKEN" >> tokens`

func (p program) together(ctx context.Context, n int) (harness.Metrics, error) {
	dir, err := os.MkdirTemp(p.dir, "crowd")
	if err != nil {
		return nil, err
	}
	store := filepath.Join(dir, "store")
	if err := os.WriteFile(filepath.Join(dir, "count"), []byte("0\n"), 0o600); err != nil {
		return nil, err
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range errs {
		wg.Go(func() {
			cmd := p.run(ctx, store, "crowd", "sh", "-c", script)
			cmd.Dir = dir
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); err != nil {
				errs[i] = fmt.Errorf("command %d: %w: %s", i, err, stderr.String())
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	count, err := numbers(filepath.Join(dir, "count"))
	if err != nil {
		return nil, err
	}
	tokens, err := numbers(filepath.Join(dir, "tokens"))
	if err != nil {
		return nil, err
	}
	disorder := 0
	for i := range tokens[1:] {
		if tokens[i+1] <= tokens[i] {
			disorder++
		}
	}
	return harness.Metrics{
		"lost updates": float64(n) - slices.Max(count) + float64(n-len(tokens)),
		"out of order": float64(disorder),
		"s":            took.Seconds(),
		"files left":   float64(files(store)),
	}, nil
}

// numbers reads a number from each line of a file, and fails if there is none.
func numbers(path string) ([]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var ns []float64
	for f := range strings.FieldsSeq(string(text)) {
		n, err := strconv.ParseFloat(f, 64) // microseconds since 1970 are exact in a float
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		ns = append(ns, n)
	}
	if len(ns) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return ns, nil
}

// files counts the regular files under a directory.
func files(dir string) int {
	n := 0
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return nil
	})
	return n
}
