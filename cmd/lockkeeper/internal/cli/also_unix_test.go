//go:build unix

package cli

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
)

// odd is a name that no syntax of names would let through.
const odd = "3:read:a,b c%\xff"

func TestAlsoHoldsAllNames(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := start(t, in, "run", "z", "--also", odd, "--also-capacity", "2:2:s", "--also-write", "w", "--also-read", "r", "-n", "--",
			"sh", "-c", `echo "$LOCK_NAME|$LOCK_NAME_2|$LOCK_NAME_3|$LOCK_NAME_4|$LOCK_NAME_5|$LOCK_NAME_6"; `+
				`echo $LOCK_TOKEN $LOCK_TOKEN_2 $LOCK_TOKEN_3 $LOCK_TOKEN_4 $LOCK_TOKEN_5; cat`)
		p.Expect("z|" + odd + "|2:s|w|r|")
		tokens := strings.Fields(p.Expect(""))
		b := client(t, in)
		for i, name := range []string{"z", odd, "2:s", "w", "r"} {
			state, err := b.Inspect(t.Context(), name)
			if err != nil || len(state.Holders) != 1 || token(state.Holders[0].Token) != tokens[i] {
				t.Errorf("%q with token %s; the store knows %+v, %v", name, tokens[i], state, err)
			}
		}
		start(t, in, "run", "-n", odd, "--", "true").ends(75)
		start(t, in, "run", "-n", "--capacity", "2", "2:s", "--", "true").ends(0)
		start(t, in, "run", "-n", "-s", "w", "--", "true").ends(75)
		start(t, in, "run", "-n", "-s", "r", "--", "true").ends(0)
		p.let()
	})
}

// All or none: who waits for one name keeps none of the others from those who come first.
func TestAlsoWaitsForAllAndNamesTheBusyOne(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := hold(t, in, "--label", "backup", "b")
		for _, flag := range []string{"-n", "-w0.05"} {
			contains(t, start(t, in, "run", flag, "a", "--also", "b", "--", "true").ends(75), `"b"`, "busy", "backup")
		}
		start(t, in, "run", "-n", "a", "--", "true").ends(0)
		q := start(t, in, "run", "a", "--also", "b", "--", "sh", "-c", "echo both; cat")
		untilWaiting(t, client(t, in), "b", 1)
		p.let()
		q.Expect("both")
		q.let()
	})
}

// Each name is taken as what it is in use as.
func TestAlsoAdaptsEachName(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		a, b := hold(t, in, "a"), hold(t, in, "-s", "b")
		p := start(t, in, "run", "-x", "a", "--also", "b", "--", "sh", "-c", "echo both; cat")
		untilWaiting(t, client(t, in), "a", 1)
		untilWaiting(t, client(t, in), "b", 1)
		a.let()
		b.let()
		p.Expect("both")
		p.let()
	})
}

func TestHoldOfSeveralNamesSaysEach(t *testing.T) {
	in := "file:" + t.TempDir() + "/locks"
	p := start(t, in, "run", "--hold", "b", "--also", "a c")
	p.Expect("held ")
	if line := p.Expect("held "); !strings.HasSuffix(line, ` "a c"`) {
		t.Errorf("the second line is %q", line)
	}
	p.Kill()
	until(t, client(t, in), "b", "nobody holds", func(s backends.State) bool { return len(s.Holders) == 0 })
}
