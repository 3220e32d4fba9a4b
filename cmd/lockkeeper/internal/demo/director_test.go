package demo

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// play runs a short demo with locks of a kind.
func play(t *testing.T, ctx context.Context, kind string, duration time.Duration) (*Verdict, *silent, error) {
	t.Helper()
	const names = 2
	dir := t.TempDir()
	screen := &silent{}
	v, err := Run(ctx, Config{
		Processes: 3, Goroutines: 4, Names: names, Duration: duration, Dir: dir, Prefix: "test/", Screen: screen,
		Command: func(process string) *exec.Cmd {
			return proctest.Command(t, "worker", kind, process, dir, "test/", strconv.Itoa(names))
		},
	})
	return v, screen, err
}

func TestGoodLocksAreFoundCorrect(t *testing.T) {
	v, screen, err := play(t, t.Context(), "good", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !v.OK() {
		t.Errorf("violated: %v\n%v", v.History.Err(), strings.Join(v.Faults, "\n"))
	}
	total := uint64(0)
	for _, c := range v.Counters {
		if c.Recorded == 0 || c.Recorded+c.Inherited != c.Value || c.Inherited > 1 {
			t.Errorf("%+v", c)
		}
		total += c.Value
	}
	// The killed process may have been granted what it did not come to count: one grant of each name at most.
	if n := uint64(v.History.Grants); n < total || n > total+uint64(len(v.Counters)) {
		t.Errorf("%d grants, counted %d", n, total)
	}
	if len(v.History.Processes) != 4 {
		t.Errorf("grants of %v, want 3 processes and the one in the place of the killed one", v.History.Processes)
	}
	if screen.scenes == 0 {
		t.Error("no progress was shown")
	}
}

func TestBrokenLocksAreFoundOut(t *testing.T) {
	for _, kind := range []string{"open", "local", "constant", "leaky"} {
		t.Run(kind, func(t *testing.T) {
			v, _, err := play(t, t.Context(), kind, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if v.OK() {
				t.Errorf("%s: found correct after %d grants", kind, v.History.Grants)
			}
			t.Logf("overlaps %d, regressions %d, reuses %d, faults %d",
				v.History.Overlaps, v.History.Regressions, v.History.Reuses, len(v.Faults))
		})
	}
}

func TestAnInterruptedDemoLeavesNoProcess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := play(t, ctx, "good", time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAWorkerThatFailsFailsTheDemo(t *testing.T) {
	dir := t.TempDir()
	_, err := Run(t.Context(), Config{
		Processes: 2, Names: 1, Duration: time.Hour, Dir: dir, Screen: &silent{},
		Command: func(string) *exec.Cmd { return exec.Command("sh", "-c", "echo why >&2; exit 3") },
	})
	if err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("got %v, want what the worker said", err)
	}
	_, err = Run(t.Context(), Config{
		Processes: 2, Names: 1, Duration: time.Hour, Dir: t.TempDir(), Screen: &silent{},
		Command: func(string) *exec.Cmd { return exec.Command("/no/such/program") },
	})
	if err == nil {
		t.Error("no error, although no worker could be started")
	}
}
