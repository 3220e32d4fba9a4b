package main

import (
	"os"
	"strings"
	"testing"
)

func TestTopListsAgainAndAgain(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		holder := hold(t, in, "--label", "the first", "a")
		top := start(t, in, "top", "--every", "10ms")
		for _, wanted := range []string{"1 names, 1 held, 0 waiting", "NAME", `"the first"`, "1 names, 1 held, 0 waiting"} {
			contains(t, next(t, top), wanted)
		}
		holder.let()
		for !strings.Contains(next(t, top), "0 names, 0 held, 0 waiting") {
		}
		top.Signal(os.Interrupt)
		output(t, top)
	})
	start(t, "file:"+t.TempDir(), "top", "--every", "0").ends(64)
	start(t, "redis://127.0.0.1:1", "top").ends(69)
}

func next(t *testing.T, p process) string {
	t.Helper()
	line, ok := p.Listen()
	if !ok {
		t.Fatalf("%s has ended: %s", t.Name(), p.ends(0))
	}
	return line
}
