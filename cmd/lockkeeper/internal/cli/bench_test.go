package cli

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// BenchmarkRun is what lockkeeper adds to a command that does nothing: the baseline is the command alone. It runs the program
// as it is installed, since a test binary takes longer to start.
func BenchmarkRun(b *testing.B) {
	program := filepath.Join(b.TempDir(), "lockkeeper")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	redis := redistest.Start(b)
	for _, c := range []struct {
		name string
		argv []string
	}{
		{"true", []string{"true"}},
		{"flock", []string{"flock", filepath.Join(b.TempDir(), "lock"), "true"}},
		{"file", []string{program, "run", "--store", "file:" + b.TempDir() + "/locks", "a", "--", "true"}},
		{"redis", []string{program, "run", "--store", "redis://" + redis.Addr, "a", "--", "true"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			if _, err := exec.LookPath(c.argv[0]); err != nil {
				b.Logf("%s is not installed: not measured", c.argv[0])
				return
			}
			for b.Loop() {
				if out, err := exec.Command(c.argv[0], c.argv[1:]...).CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
			}
		})
	}
}
