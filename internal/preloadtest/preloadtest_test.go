package preloadtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/preloadtest"
)

func run(t *testing.T, env []string, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestAClockIsSet(t *testing.T) {
	c := preloadtest.NewClock(t)
	for _, off := range []time.Duration{0, -time.Hour, 2 * time.Hour} {
		c.Set(t, off)
		out, err := run(t, c.Env(), "date", "+%s")
		if err != nil {
			t.Fatal(err)
		}
		seconds, err := strconv.ParseInt(out, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Until(time.Unix(seconds, 0)) - off; d.Abs() > time.Minute {
			t.Errorf("the clock is off by %v; want %v", d+off, off)
		}
	}
}

func TestADiskIsFilledAndEmptied(t *testing.T) {
	d := preloadtest.NewDisk(t)
	file := filepath.Join(t.TempDir(), "file")
	write := func(seek string) (string, error) {
		return run(t, d.Env(), "dd", "if=/dev/zero", "of="+file, "bs=100", "count=1", "conv=notrunc", "seek="+seek)
	}
	if out, err := write("0"); err != nil {
		t.Fatal(out)
	}
	d.Fill(t)
	if out, err := write("0"); err != nil {
		t.Errorf("a write that makes nothing longer fails: %s", out)
	}
	if out, err := write("1"); err == nil || !strings.Contains(out, "No space left") {
		t.Errorf("a write that needs room: %v, %s", err, out)
	}
	d.Empty(t)
	if out, err := write("1"); err != nil {
		t.Errorf("there is room again: %s", out)
	}
}
