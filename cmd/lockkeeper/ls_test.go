package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func TestLsTellsWhoHoldsAndWhoWaits(t *testing.T) {
	eachStore(t, func(t *testing.T, in string) {
		holder := hold(t, in, "--label", "the first", "a")
		reader := hold(t, in, "--read", "b")
		waiter := start(t, in, "run", "--label", "the second", "a", "--", "true")
		untilWaiting(t, client(t, in), "a", 1)

		lines := output(t, start(t, in, "ls"))
		if len(lines) != 4 {
			t.Fatalf("%d lines: %q", len(lines), lines)
		}
		for i, want := range [][]string{
			{"NAME", "KIND", "STATE"},
			{"a", "mutex", "held", "1 of 1", `"the first"`},
			{"a", "mutex", "waits, 1.", `"the second"`},
			{"b", "rwlock", "held", "read"},
		} {
			for _, part := range want {
				contains(t, lines[i], part)
			}
		}
		if one := output(t, start(t, in, "ls", "b", "no-such")); len(one) != 3 || !strings.Contains(one[2], "free") {
			t.Errorf("ls b no-such: %q", one)
		}
		holder.let()
		reader.let()
		waiter.ends(0)
		if rest := output(t, start(t, in, "ls")); len(rest) != 0 {
			t.Errorf("nobody holds or waits, but ls says %q", rest)
		}
	})
	start(t, "memory:", "ls").ends(64)
	start(t, "file:"+t.TempDir(), "ls", "").ends(64)
}

// To look at a store must not make one.
func TestLsOfAStoreThatDoesNotExist(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	if lines := output(t, start(t, "file:"+dir, "ls")); len(lines) != 0 {
		t.Errorf("nobody holds or waits, but ls says %q", lines)
	}
	if lines := output(t, start(t, "file:"+dir, "ls", "a")); len(lines) != 2 || !strings.Contains(lines[1], "free") {
		t.Errorf("ls a: %q; want one name, free", lines)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("ls has made the store: %v", err)
	}
	p := start(t, "file:"+dir, "ls", "")
	contains(t, p.ends(64), "invalid name")
}

// output returns the lines of a process that ends well.
func output(t *testing.T, p process) (lines []string) {
	t.Helper()
	for line, ok := p.Listen(); ok; line, ok = p.Listen() {
		lines = append(lines, line)
	}
	p.ends(0)
	return lines
}

func TestListKeepsStrangeNamesHarmless(t *testing.T) {
	var out strings.Builder
	now := time.Now()
	err := list(&out, []backends.State{{
		Resource: backends.Resource{Name: "a\nb\x1b[31m\t\xff", Kind: backends.Semaphore, Capacity: 3},
		Holders:  []backends.Holder{{ID: backends.GrantID{Client: 1}, Weight: 2, Token: 7, Since: now.Add(-time.Second), Owner: backends.Owner{Host: "h", PID: 1}}},
		Waiters:  []backends.Waiter{{Weight: 1, Since: now.Add(time.Hour), Owner: backends.Owner{Host: "h\n", PID: 2}}},
	}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 3 || strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "\xff") || strings.Contains(out.String(), "\t") {
		t.Errorf("%q", out.String())
	}
	contains(t, out.String(), "2 of 3")
	contains(t, out.String(), "1s")
}
