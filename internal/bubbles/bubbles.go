// Package bubbles tells whether the caller runs in a testing/synctest bubble, and in which. A
// channel or a timer made in a bubble must not be used outside it, nor in another bubble: the
// runtime ends the program. So a pool, or a lock that outlives a test, must not keep one.
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

// Inside reports whether the caller runs in a bubble. In a test it costs a look at the clock, in
// other programs a load.
func Inside() bool { return inTest.Load() && look() }

// MadeInside is Inside for a caller that makes a channel to keep. It looks at the clock in every
// program. If it finds a bubble in a program that did not seem to be a test, Inside looks at the
// clock from then on too. This concerns the test of a main package that was built under another
// name and runs without flags. If such a test begins outside all bubbles, a wait in its first
// bubble may not count as durable.
func MadeInside() bool {
	inside := look()
	if inside && !inTest.Load() {
		inTest.Store(true)
	}
	return inside
}

// look reports whether the clock is that of a bubble. There a time has no monotonic reading, and
// the clock begins in the year 2000, decades before the start of the program.
func look() bool {
	const decade = 10 * 365 * 24 * time.Hour
	now := time.Now()
	return now == now.Round(0) || now.Sub(started).Abs() > decade
}

// started is an instant outside all bubbles.
var started = time.Now()

// ID returns the number of the caller's bubble, 0 outside all bubbles. No two bubbles of a program
// have the same number. The runtime tells it only in the first line of a stack trace:
//
//	goroutine 7 [running, synctest bubble 3]:
//
// To read it takes about a microsecond, in a bubble; outside, ID costs what Inside does. If the
// number is missing there, ID returns the largest number for all bubbles.
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

// inTest is false if this program does not seem to be a test, and so has no bubbles.
var inTest = func() *atomic.Bool {
	b := &atomic.Bool{}
	b.Store(isTest(os.Args, debug.ReadBuildInfo))
	return b
}()

// Assume sets whether Inside takes this program for a test, until restore is called. Benchmarks use
// it to measure what other programs pay.
func Assume(test bool) (restore func()) {
	was := inTest.Swap(test)
	return func() { inTest.Store(was) }
}

// isTest reports whether this program seems to be a test. Package testing knows for certain, but
// would be linked into every program. The path of a test's main package ends in .test, unless the
// package under test is itself a main package; then the name of the binary or its flags tell.
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
