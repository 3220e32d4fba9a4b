package file

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func init() { proctest.Register("torn", torn) } //nolint:gochecknoinits // only Linux has this helper

// torn is the helper that the kernel kills when it writes the table of "b".
func torn(c *proctest.Child) error {
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	ctx := context.Background()
	for _, name := range []string{"a", "b"} { // opens the files
		g, err := backends.Acquire(ctx, b, mutex(name))
		if err == nil {
			err = backends.Release(ctx, b, g)
		}
		if err != nil {
			return err
		}
		c.Say("%d", g.Token)
	}
	b.timing.linger = time.Hour // they stay open
	b.timing.net = time.Hour
	if err := dieOnWrite(b.live("b").table.FD); err != nil {
		return err
	}
	op := &backends.Op{Acquire: []backends.Request{mutex("b"), mutex("a")}, Wait: true, Granted: func(i int, g backends.Grant, err error) {
		c.Say("request %d: %v, %v", i, g, err)
	}}
	if work := b.Start(op); work != nil {
		work(ctx)
	}
	return errors.New("survived")
}

// dieOnWrite has the kernel kill this process when it writes to a file by pwrite.
func dieOnWrite(fd int) error {
	const syscallNumber, firstArgument = 0, 16 // offsets in struct seccomp_data
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: syscallNumber},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_PWRITE64, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: firstArgument},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(fd), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program))); e != 0 {
		return e
	}
	return nil
}

// What a process leaves that is killed between the tables of its operation is a request of a dead
// process: nobody waits for it, in any table.
func TestKilledBetweenTheTablesOfAnOperation(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	p := proctest.Start(t, "torn", dir)
	before := map[string]string{"a": p.Expect(""), "b": p.Expect("")}
	if line, ok := p.Listen(); ok {
		t.Errorf("the process says %q; it should have heard nothing", line)
	}
	if err := p.Wait(); err == nil {
		t.Fatal("the process has survived")
	}
	if s := p.State().Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGSYS {
		t.Fatalf("the process was not killed by its write: %v", p.State())
	}
	for name, written := range map[string]bool{"a": true, "b": false} {
		table, _, err := a.dir.ReadUnlocked(name)
		if err != nil {
			t.Fatal(err)
		}
		if last := fmt.Sprint(table.Token); (last != before[name]) != written {
			t.Fatalf("the last token of %q was %s and is %s; written: want %v", name, before[name], last, written)
		}
	}
	both := backends.Op{Acquire: []backends.Request{mutex("a"), mutex("b")}, Wait: true}
	gs := begin(a, both).run(patient(t)).grants(t)
	next := begin(b, both).run(patient(t))
	for _, g := range gs {
		mustRelease(t, a, g)
	}
	for _, g := range next.grants(t) {
		mustRelease(t, b, g)
	}
}
