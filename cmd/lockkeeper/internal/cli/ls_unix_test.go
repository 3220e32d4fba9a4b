//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gofrs/flock"
)

// A lock that flock(1) holds is listed as busy, whether the name was used before or not.
func TestLsShowsLocksOfOtherPrograms(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT CHECKED: locks of other programs are seen on Linux only")
	}
	dir := t.TempDir() + "/locks"
	in := "file:" + dir
	start(t, in, "run", "used", "--", "true").ends(0)
	for _, name := range []string{"used", "never"} {
		f := flock.New(filepath.Join(dir, name+".lock"))
		if ok, err := f.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		for _, args := range [][]string{{"ls"}, {"ls", name}} {
			lines := output(t, start(t, in, args...))
			if len(lines) != 2 {
				t.Fatalf("%v: %q; want one name", args, lines)
			}
			for _, part := range []string{name, "busy", "1 of 1", "another program (pid "} {
				contains(t, lines[1], part)
			}
		}
		contains(t, start(t, in, "run", "--no-wait", name, "--", "true").ends(75), "held by another program (pid")
		if err := f.Unlock(); err != nil {
			t.Error(err)
		}
	}
}

// ls leaves no trace in a store, and needs no directory of inboxes.
func TestLsOnlyReads(t *testing.T) {
	dir := t.TempDir() + "/locks"
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	p := start(t, "file:"+dir, "ls")
	contains(t, p.ends(0), "no holders and no waiters in file:"+dir)
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("ls has made %v, %v", files, err)
	}
}

// Names that cannot be read are reported after the others, with a status of their own.
func TestLsTellsTheRestOfADamagedStore(t *testing.T) {
	dir := t.TempDir() + "/locks"
	in := "file:" + dir
	h := hold(t, in, "a")
	if err := os.Symlink("/etc/hosts", dir+"/b.table"); err != nil {
		t.Fatal(err)
	}
	p := start(t, in, "ls")
	if text := all(p); !strings.Contains(text, "held") || strings.Contains(text, "b.table") {
		t.Errorf("ls: %q; want the holder of a", text)
	}
	contains(t, p.ends(77), "b.table")
	h.let()
}
