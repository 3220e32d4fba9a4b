package redistest

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

// clockC is compiled by the test: tools that do the same for any program do not bear a server with an allocator of its own.
//
//go:embed testdata/clock.c
var clockC []byte

// Clock is the wall clock of one server, which a test can set.
type Clock struct{ file string }

// StartWithClock is Start for a server with a wall clock of its own, which differs by off from the system's. It needs
// Linux and a C compiler: without one the test is skipped, or fails, as it does where redis-server is missing.
func StartWithClock(t testing.TB, off time.Duration, args ...string) (*Server, *Clock) {
	t.Helper()
	require(t)
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, NOTHING WAS TESTED: a server's clock can be set on Linux only")
	}
	if _, err := exec.LookPath("cc"); err != nil && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: no C compiler: %v", err)
	}
	dir := t.TempDir()
	source, lib := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so")
	if err := os.WriteFile(source, clockC, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", lib, source).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	c := &Clock{filepath.Join(dir, "clock")}
	c.Set(t, off)
	return launch(t, Server{args: args, env: []string{"LD_PRELOAD=" + lib, "TEST_CLOCK=" + c.file}}), c
}

// Set makes the clock differ by off from the system's.
func (c *Clock) Set(t testing.TB, off time.Duration) {
	t.Helper()
	f, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE, 0o600) // not truncated: it is mapped
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	us := off.Microseconds()
	if _, err := f.Write(endian.NativeEndian.AppendUint64(nil, uint64(us))); err != nil {
		t.Fatal(err)
	}
}
