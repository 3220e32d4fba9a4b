package backends_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestWorstIsTheHighestLevel(t *testing.T) {
	if got := backends.Worst(nil); got != backends.OK {
		t.Errorf("of nothing: %v, want ok", got)
	}
	fs := []backends.Finding{{Level: backends.Note}, {Level: backends.Failure}, {Level: backends.Warning}}
	if got := backends.Worst(fs); got != backends.Failure {
		t.Errorf("of %v: %v, want failure", fs, got)
	}
}

func TestLevelsHaveNames(t *testing.T) {
	for level, want := range map[backends.Level]string{
		backends.OK: "ok", backends.Note: "note", backends.Warning: "warning", backends.Failure: "failure", 9: "Level(9)",
	} {
		if got := level.String(); got != want {
			t.Errorf("level %d is called %q, want %q", uint8(level), got, want)
		}
	}
}
