// Package preloadtest gives a server that a test starts a wall clock or a disk of its own: a small library,
// compiled by the test, that takes the place of a few functions of the C library.
//
// It needs Linux and a C compiler. Without them the test is skipped, loudly; with CI=true in the
// environment it fails instead.
package preloadtest

import (
	_ "embed"
	endian "encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// The libraries are compiled here: tools that do the same for any program do not bear a server with
// an allocator of its own.
var (
	//go:embed testdata/clock.c
	clockC []byte
	//go:embed testdata/disk.c
	diskC []byte
)

// library is one that was compiled, with a number that it reads from a file.
type library struct {
	path, file, variable string
}

// compile makes a library, which any user can load.
func compile(t testing.TB, name, variable string, source []byte) library {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: a server's %s can be changed on Linux only", name)
	}
	if _, err := exec.LookPath("cc"); err != nil && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: no C compiler: %v", err)
	}
	dir, err := os.MkdirTemp("", "preload") // a directory of t's is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c, l := filepath.Join(dir, name+".c"), library{filepath.Join(dir, name+".so"), filepath.Join(dir, name), variable}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c, source, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", l.path, c).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	if err := os.Chmod(l.path, 0o755); err != nil {
		t.Fatal(err)
	}
	l.set(t, 0)
	return l
}

// Env is what the server's environment needs.
func (l library) Env() []string { return []string{"LD_PRELOAD=" + l.path, l.variable + "=" + l.file} }

// Env is what the environment of a server needs that has both.
func Env(c *Clock, d *Disk) []string {
	return []string{
		"LD_PRELOAD=" + c.path + ":" + d.path, c.variable + "=" + c.file, d.variable + "=" + d.file,
	}
}

func (l library) set(t testing.TB, n int64) {
	t.Helper()
	f, err := os.OpenFile(l.file, os.O_WRONLY|os.O_CREATE, 0o644) // not truncated: it is mapped
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(endian.NativeEndian.AppendUint64(nil, uint64(n))); err != nil {
		t.Fatal(err)
	}
}

// Clock is the wall clock of the servers that have its Env.
type Clock struct{ library }

// NewClock returns a clock that shows the system's time.
func NewClock(t testing.TB) *Clock {
	t.Helper()
	return &Clock{compile(t, "clock", "TEST_CLOCK", clockC)}
}

// Set makes the clock differ by off from the system's.
func (c *Clock) Set(t testing.TB, off time.Duration) {
	t.Helper()
	c.set(t, off.Microseconds())
}

// Disk is the disk of the servers that have its Env.
type Disk struct{ library }

// NewDisk returns a disk that has room.
func NewDisk(t testing.TB) *Disk {
	t.Helper()
	return &Disk{compile(t, "disk", "TEST_DISK", diskC)}
}

// Fill makes the disk full: no file grows.
func (d *Disk) Fill(t testing.TB) {
	t.Helper()
	d.set(t, 1)
}

// Empty makes room.
func (d *Disk) Empty(t testing.TB) {
	t.Helper()
	d.set(t, 0)
}
