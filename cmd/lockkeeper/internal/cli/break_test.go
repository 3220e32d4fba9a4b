package cli

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestBreakTakesTheLockFromItsHolder(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		holder := hold(t, in, "--label", "it hangs", "a")
		waiter := start(t, in, "run", "a", "--", "sh", "-c", "echo mine; cat >/dev/null")
		untilWaiting(t, client(t, in), "a", 1)

		lines := output(t, start(t, in, "break", "a", "no-such"))
		if len(lines) != 3 {
			t.Fatalf("%d lines: %q", len(lines), lines)
		}
		contains(t, lines[1], "a ", "held", `"it hangs"`)
		contains(t, lines[2], "no-such", "free")
		contains(t, holder.ends(76), "lost")
		waiter.Expect("mine")
		waiter.CloseInput()
		waiter.ends(0)
		until(t, client(t, in), "a", "nobody holds", func(s backends.State) bool { return len(s.Holders) == 0 })
	})
}

func TestBreakRefusesBadUsage(t *testing.T) {
	in := "file:" + t.TempDir()
	start(t, in, "break").ends(64)
	start(t, in, "break", "").ends(64)
	start(t, "memory:", "break", "a").ends(64)
	start(t, "redis://127.0.0.1:1", "break", "a").ends(69)
}
