package bubbles

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestInsideAndOutside(t *testing.T) {
	if Inside() {
		t.Error("in a bubble, outside all")
	}
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			if !Inside() {
				t.Error("not in a bubble, at its start")
			}
			time.Sleep(20 * 365 * 24 * time.Hour)
			if !Inside() {
				t.Error("not in a bubble, after twenty years")
			}
		})
	}
}

func TestBubblesHaveNumbersOfTheirOwn(t *testing.T) {
	seen := map[uint64]bool{0: ID() == 0, math.MaxUint64: true} // the runtime must tell them
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			id, other := ID(), make(chan uint64)
			go func() { other <- ID() }()
			if got := <-other; got != id {
				t.Errorf("two goroutines of one bubble are in %d and %d", id, got)
			}
			if seen[id] {
				t.Errorf("a bubble has the number %d", id)
			}
			seen[id] = true
		})
	}
	if !seen[0] {
		t.Errorf("outside it is %d", ID())
	}
}

func TestMadeInsideNoticesABubbleInAProgramThatSeemedToBeNoTest(t *testing.T) {
	defer Assume(false)()
	if MadeInside() || Inside() {
		t.Error("in a bubble, outside all")
	}
	synctest.Test(t, func(t *testing.T) {
		if Inside() {
			t.Error("Inside looked at the clock, although the program did not seem to be a test")
		}
		if !MadeInside() || !Inside() {
			t.Error("not in a bubble, although a channel was made in one")
		}
	})
	if Inside() {
		t.Error("in a bubble, after it")
	}
}

func TestTestsAreRecognised(t *testing.T) {
	if !inTest.Load() {
		t.Error("this is a test")
	}
	for _, c := range []struct {
		why  string
		path string // "": not known
		args []string
		want bool
	}{
		{"a program", "example.com/cmd/app", []string{"/usr/bin/app", "-v", "test"}, false},
		{"a program without arguments", "example.com/cmd/app", nil, false},
		{"a test", "example.com/lib.test", []string{"/tmp/lib.test"}, true},
		{"a test of a main package", "example.com/cmd/app", []string{"/tmp/go-build1/b001/app.test"}, true},
		{"one on Windows", "example.com/cmd/app", []string{`C:\tmp\app.test.exe`}, true},
		{"one under another name", "example.com/cmd/app", []string{"/tmp/renamed", "-test.timeout=10m0s"}, true},
		{"a program built without modules", "", []string{"/usr/bin/app"}, true},
	} {
		build := func() (*debug.BuildInfo, bool) { return &debug.BuildInfo{Path: c.path}, c.path != "" }
		if got := isTest(c.args, build); got != c.want {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}
