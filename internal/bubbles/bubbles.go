// Package bubbles tells whether the caller runs in a testing/synctest bubble. A channel or a timer
// made in a bubble must not be used outside it, nor in another: the program ends with a fatal
// error. So what is kept for later use, in a pool or beside a lock that outlives a test, must not
// hold any.
package bubbles

import (
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// Inside reports whether the caller runs in a bubble. Times that are read there have no monotonic
// clock, and begin with the year 2000, decades from the start of the program. It costs a look at
// the clock in tests, and nothing in other programs.
func Inside() bool {
	if !InTest {
		return false
	}
	const decade = 10 * 365 * 24 * time.Hour
	now := time.Now()
	return now == now.Round(0) || now.Sub(started).Abs() > decade
}

// started is some instant outside all bubbles.
var started = time.Now()

// InTest is false if this program is no test, so that there are no bubbles. It is a variable for
// benchmarks, which measure what other programs pay.
//
// Package testing knows for certain, but is nothing to link into every program. The name of a
// test's main package ends in .test, unless the package under test is a main itself; then "go test"
// is seen by the name of the binary or by its flags.
var InTest = isTest(os.Args, debug.ReadBuildInfo)

func isTest(args []string, build func() (*debug.BuildInfo, bool)) bool {
	if info, ok := build(); !ok || strings.HasSuffix(info.Path, ".test") {
		return true
	}
	for i, a := range args {
		if i == 0 && strings.HasSuffix(strings.TrimSuffix(a, ".exe"), ".test") || i > 0 && flagOfTests(a) {
			return true
		}
	}
	return false
}

// flagOfTests reports whether an argument is one of the flags that "go test" always passes.
func flagOfTests(arg string) bool {
	return strings.HasPrefix(arg, "-test.") || strings.HasPrefix(arg, "--test.")
}
