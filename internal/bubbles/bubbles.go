// Package bubbles tells whether the caller runs in a testing/synctest bubble, and in which. A
// channel or a timer made in a bubble must not be used outside it, nor in another: the program
// ends with a fatal error. So what is kept for later use, in a pool or beside a lock that outlives a
// test, must not hold any.
package bubbles

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// Inside reports whether the caller runs in a bubble. It costs a look at the clock in tests, and a
// load in other programs.
func Inside() bool { return inTest.Load() && look() }

// Made is Inside for whoever makes a channel to keep. It looks at the clock in every program. One
// that finds itself in a bubble, although this program did not seem to be a test, has Inside look
// as well from then on. A test of a main package needs that, built under another name and run without
// flags; should it begin outside all bubbles, a wait in its first one may not count as durable.
func Made() bool {
	inside := look()
	if inside && !inTest.Load() {
		inTest.Store(true)
	}
	return inside
}

// look reports whether the clock is that of a bubble. Times that are read there have no monotonic
// clock, and begin with the year 2000, decades from the start of the program.
func look() bool {
	const decade = 10 * 365 * 24 * time.Hour
	now := time.Now()
	return now == now.Round(0) || now.Sub(started).Abs() > decade
}

// started is some instant outside all bubbles.
var started = time.Now()

// ID returns the number of the caller's bubble, 0 outside all. No two bubbles of a program have the
// same one. The runtime tells it only in the first line of a stack trace,
//
//	goroutine 7 [running, synctest bubble 3]:
//
// which takes about a microsecond, in bubbles alone. Should it be missing there, all bubbles have
// the largest number.
func ID() uint64 {
	if !Inside() {
		return 0
	}
	var trace [128]byte
	_, number, _ := bytes.Cut(trace[:runtime.Stack(trace[:], false)], []byte("synctest bubble "))
	id := uint64(0)
	for _, digit := range number {
		if digit < '0' || digit > '9' {
			break
		}
		id = 10*id + uint64(digit-'0')
	}
	if id == 0 {
		return math.MaxUint64
	}
	return id
}

// inTest is false if this program seems to be no test, so that there are no bubbles.
var inTest = func() *atomic.Bool {
	b := &atomic.Bool{}
	b.Store(isTest(os.Args, debug.ReadBuildInfo))
	return b
}()

// Assume makes Inside believe that this program is a test, or that it is not, until restore is
// called: for benchmarks, which measure what other programs pay.
func Assume(test bool) (restore func()) {
	was := inTest.Swap(test)
	return func() { inTest.Store(was) }
}

// isTest reports whether this program seems to be a test. Package testing knows for certain, but is
// nothing to link into every program. The name of a test's main package ends in .test, unless the
// package under test is a main itself; then "go test" is seen by the name of the binary or by its
// flags.
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
