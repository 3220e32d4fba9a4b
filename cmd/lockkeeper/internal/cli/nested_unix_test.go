//go:build unix

package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// inner is a line of a shell that runs lockkeeper itself.
func inner(t *testing.T, args string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return "env LOCKKEEPER_PROCTEST_HELPER=lockkeeper " + self + " run " + args
}

func TestANestedRunOfAHeldNameIsRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		for _, c := range [][2]string{ // the flags of the outer run, and of the inner one
			{"z", "z"}, {"z", "-n z"}, {"-s z", "-s z"}, {"--capacity 3 z", "--capacity 3 z"}, {"z", "-x z"},
			{"y --also z", "z"}, {"y --also z", "x --also y"},
			{"z", "y -- " + inner(t, "z")}, // a lock between
		} {
			args := append(append([]string{"run"}, strings.Fields(c[0])...), "--", "sh", "-c", inner(t, c[1]+" -- echo started"))
			p := start(t, in, args...)
			p.saysNothing()
			contains(t, p.ends(64), "held for this command already, by an enclosing lockkeeper run (sh (pid ", "--reentrant")
		}
	})
}

func TestReentrantGoesInWithoutAcquiring(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		for _, c := range [][2]string{
			{"z", "z"}, {"z", "-n z"}, {"z", "-s z"}, {"-x z", "-s z"}, {"--capacity 3 --permits 2 z", "--capacity 3 z"},
		} {
			script := "echo $LOCK_TOKEN; " + inner(t, "--reentrant "+c[1]+" -- sh -c 'echo $LOCK_NAME $LOCK_TOKEN; exit 5'")
			p := start(t, in, append(append([]string{"run"}, strings.Fields(c[0])...), "--", "sh", "-c", script)...)
			token := p.Expect("")
			p.Expect("z " + token)
			p.ends(5)
		}
		// What is missing is acquired, and what the outer run does not hold for it is refused.
		p := start(t, in, "run", "z", "--", "sh", "-c", inner(t, `--reentrant z --also a -- sh -c 'echo $LOCK_NAME,$LOCK_NAME_2; cat'`))
		p.Expect("z,a")
		start(t, in, "run", "-n", "a", "--", "true").ends(75)
		start(t, in, "run", "-n", "z", "--", "true").ends(75)
		p.let()
		p = start(t, in, "run", "-s", "z", "--", "sh", "-c", inner(t, "--reentrant -x z -- echo started"))
		p.saysNothing()
		contains(t, p.ends(64), "holds z for this command already, but too little of it (read)")
		p = start(t, in, "run", "--reentrant", "z", "--", "true") // nothing encloses it
		p.ends(0)
	})
}

// The environment outlives its run, and may be of another store.
func TestAStaleEnvironmentIsNotBelieved(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		p := start(t, in, "run", "z", "--", "sh", "-c", "echo $LOCKKEEPER_HELD")
		stale := p.Expect("")
		p.ends(0)
		other := hold(t, in, "z")
		state, err := client(t, in).Inspect(t.Context(), "z")
		if err != nil || len(state.Holders) != 1 {
			t.Fatalf("%+v, %v", state, err)
		}
		pid := state.Holders[0].Owner.PID
		for _, value := range []string{stale, "nonsense", "1:2", "1:2:%zz", "x:y:z", fmt.Sprintf("%d:1:z", pid), fmt.Sprintf("1:%d:z", state.Holders[0].Token)} {
			t.Setenv(heldVariable, value)
			start(t, in, "run", "-n", "z", "--", "true").ends(75) // it asks for the lock
			start(t, in, "run", "-n", "--reentrant", "z", "--", "true").ends(75)
		}
		other.let()
		p = start(t, in, "run", "z", "--", "sh", "-c", "LOCKKEEPER_STORE=file:"+t.TempDir()+"/other "+inner(t, "z -- echo other"))
		p.Expect("other")
		p.ends(0)
	})
}

// A lease that is lost ends what has entered it again.
func TestALossEndsWhatIsNested(t *testing.T) {
	dir := t.TempDir() + "/locks"
	p := start(t, "file:"+dir, "run", "--grace", "10ms", "z", "--", "sh", "-c", inner(t, "--reentrant z -- sh -c '"+endless+"'"))
	p.Expect("held")
	remove(t, dir)
	p.saysNothing()
	p.ends(76)
}

func TestEnvironReplacesWhatAnOuterLockLeft(t *testing.T) {
	outer, mine := lock{"outer", 7, 42}, []lock{{"inner=x", 18446744073709551615, 43}, {odd, 8, 43}}
	base := []string{"A=1", "LOCK_TOKEN=7", "LOCK_NAME=outer", "LOCK_NAME_2=b", "LOCK_TOKENS=kept", "LOCK_NAME_=cut", "LOCK_NAME_X=kept",
		heldVariable + "=" + outer.String() + " " + mine[0].String()}
	got := environ(base, mine)
	held := got[len(got)-1]
	want := []string{"A=1", "LOCK_TOKENS=kept", "LOCK_NAME_X=kept", "LOCK_NAME=inner=x", "LOCK_TOKEN=18446744073709551615",
		"LOCK_NAME_2=" + odd, "LOCK_TOKEN_2=8"}
	if !slices.Equal(got[:len(got)-1], want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if all := enclosing(held[len(heldVariable)+1:]); !slices.Equal(all, append([]lock{outer}, mine...)) {
		t.Errorf("%q is read as %v", held, all)
	}
	if strconv.Quote(mine[1].String()) != `"`+mine[1].String()+`"` {
		t.Errorf("%q is not plain", mine[1].String())
	}
}
