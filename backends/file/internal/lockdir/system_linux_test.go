package lockdir

import (
	"fmt"
	"os"
	"testing"
)

// The locks of a directory are found among any other lines, and no line stops the rest from being read.
func FuzzLocks(f *testing.F) {
	f.Add("1: POSIX  ADVISORY  WRITE 4711 fd:01:7 0 EOF\n", "1: -> FLOCK  ADVISORY  WRITE 1 fd:01:8 0 EOF\n", uint64(8), true)
	f.Add("", "2: FLOCK  ADVISORY  READ -1 fd:02:8 0 EOF", uint64(8), false)
	f.Add("3: FLOCK a b c :::\n", "4: FLOCK a b c fd:01:99999999999999999999\n\n: FLOCK", uint64(1<<63), true)
	f.Fuzz(func(t *testing.T, before, after string, inode uint64, exclusive bool) {
		parseLocks(before+after, "")
		kind := map[bool]string{true: "WRITE", false: "READ"}[exclusive]
		line := fmt.Sprintf("\n7: FLOCK  ADVISORY  %s %d fd:01:%d 0 EOF\n", kind, os.Getpid(), inode)
		want := flockHolder{os.Getpid(), exclusive}
		if got := parseLocks(before+line, "fd:01")[inode]; got != want {
			t.Fatalf("after %q: %+v, want %+v", before, got, want)
		}
		if _, found := parseLocks(line, "fd:02")[inode]; found {
			t.Fatal("a lock of another device is taken for one of ours")
		}
		if _, found := parseLocks(line+after, "fd:01")[inode]; !found {
			t.Fatalf("not found before %q", after)
		}
	})
}
