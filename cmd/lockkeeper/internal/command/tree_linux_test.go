package command

import (
	"fmt"
	"testing"
)

// A process may call itself anything. That changes nothing of what is read of it, and junk is no
// process.
func FuzzStat(f *testing.F) {
	f.Add("sh", byte('S'), 1, 1, []byte(""))
	f.Add(") R 1 1 (", byte('T'), 4711, 4710, []byte("1 (x) S 1"))
	f.Add("a\nb (c", byte('Z'), 1, 2, []byte(")"))
	f.Add("", byte('X'), 0, -1, []byte("1 (x) \xff\x00 a b c"))
	f.Fuzz(func(t *testing.T, name string, state byte, parent, group int, junk []byte) {
		if r, live := parseStat(junk); !live && (r.parent != 0 || r.group != 0) {
			t.Fatalf("%q is %+v", junk, r)
		}
		if state <= ' ' || state > '~' || state == ')' { // the kernel's are letters
			return
		}
		stat := fmt.Sprintf("4711 (%s) %c %d %d 7 0 -1 4194560 0", name, state, parent, group)
		r, live := parseStat([]byte(stat))
		if want := state != 'Z' && state != 'X'; live != want {
			t.Fatalf("%q: live is %v", stat, live)
		}
		if live && r != (relative{parent, group, state == 'T'}) {
			t.Fatalf("%q is %+v", stat, r)
		}
	})
}
