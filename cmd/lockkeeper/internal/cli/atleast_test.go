package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command ends at once, and so does the run; nobody else gets the lock in that hour.
func TestLockStaysTakenAfterTheCommand(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		out := filepath.Join(t.TempDir(), "out")
		line := []string{"run", "-n", "-q", "-E", "0", "--at-least", "1h", "--label", "report", "a", "--",
			"sh", "-c", "echo ran >>" + out}
		for range 3 {
			start(t, in, line...).ends(0)
		}
		if text, err := os.ReadFile(out); err != nil || string(text) != "ran\n" {
			t.Errorf("%q, %v; want one run", text, err)
		}
		contains(t, start(t, in, "run", "-n", "a", "--", "true").ends(75), "kept until", "report")
		contains(t, start(t, in, "run", "-v", "-w", "3s", "a", "--", "true").ends(75), "waiting for a: kept until", "last held by")

		kept := output(t, start(t, in, "ls", "a"))
		contains(t, kept[1], "kept", "1 of 1", "until", "last report")
		contains(t, strings.Join(output(t, start(t, in, "show", "a")), "\n"), "kept, 1 of 1", "kept until")
		contains(t, strings.Join(output(t, start(t, in, "ls", "--json", "a")), "\n"), `"kept_for": 3`)

		start(t, in, "break", "a").ends(0)
		start(t, in, "run", "-n", "a", "--also", "b", "--at-least", "1ms", "--", "true").ends(0)
	})
	start(t, "file:"+t.TempDir()+"/locks", "run", "--at-least", "0s", "a", "--", "true").ends(64)
}
