//go:build unix

package file

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

// stormed is the helper that waits for a lock among signals, and says when it has had many.
func stormed(c *proctest.Child) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1)
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	ctx := context.Background()
	g, err := backends.Acquire(ctx, b, mutex("db")) // opens the files
	if err == nil {
		err = backends.Release(ctx, b, g)
	}
	if err != nil {
		return err
	}
	c.Say("ready")
	for _, ok := c.Listen(); ok; _, ok = c.Listen() {
		done := make(chan error, 1)
		go func() {
			g, err := backends.Acquire(ctx, b, mutex("db"))
			done <- errors.Join(err, backends.Release(ctx, b, g))
		}()
		const many = 300
		for range many {
			select {
			case <-signals:
			case err := <-done:
				return errors.Join(errors.New("the lock was not held"), err)
			}
		}
		c.Say("stormed")
		if err := <-done; err != nil {
			return err
		}
		c.Say("granted")
	}
	signal.Stop(signals)
	return b.Close(ctx)
}

// Signals that arrive while a process waits, in the kernel for a table's lock or asleep in the queue, are not its failure.
func TestSignalsDoNotDisturbWaiters(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	p := proctest.Start(t, "stormed", dir)
	p.Expect("ready")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				p.Signal(syscall.SIGUSR1)
			}
		}
	}()
	storm := func(free func()) {
		p.Say("acquire")
		p.Expect("stormed")
		free()
		p.Expect("granted")
	}
	table, err := b.dir.Seize("db" + lockdir.TableEnding)
	if err != nil || table < 0 {
		t.Fatal(table, err)
	}
	storm(table.Free) // a task waits in flock(2)
	g := mustAcquire(t, b, mutex("db"))
	storm(func() { mustRelease(t, b, g) })
	close(stop)
	<-stopped
	p.CloseInput()
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// parent is the helper that holds locks and starts a program, which does not end with it.
func parent(c *proctest.Child) error {
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	for _, r := range requests("") {
		if r.Weight == r.Capacity && !lockdir.OnKernel(r.Kind) || r.Name == "rw" && r.Weight > 1 {
			continue
		}
		if _, err := backends.Acquire(context.Background(), b, r); err != nil {
			return err
		}
	}
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		return err
	}
	c.Say("started %d", cmd.Process.Pid)
	c.Listen()
	return nil
}

// A lock does not outlive its holder in the programs that the holder has started.
func TestChildrenDoNotInheritLocks(t *testing.T) {
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	p := proctest.Start(t, "parent", dir)
	child, err := strconv.Atoi(p.Expect("started"))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(child, syscall.SIGKILL) //nolint:errcheck // it may have ended
	mustBeBusy(t, b, mutex("mutex"))
	mustBeBusy(t, b, writer("rw"))
	p.Kill()
	for _, r := range requests("") {
		g := mustAcquire(t, b, r)
		mustRelease(t, b, g)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Errorf("the child has ended, so nothing was tested: %v", err)
	}
}

// Every descriptor is closed on exec, also while everything is in use.
func TestDescriptorsAreClosedOnExec(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skipf("NOT CHECKED: no /proc on this system: %v", err)
	}
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	mustAcquire(t, a, mutex("db"))
	enqueue(t, b, mutex("db"))
	mustAcquire(t, a, permits("permits", 1, 2))
	ours := 0
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fds {
		path, err := os.Readlink(filepath.Join("/proc/self/fd", f.Name()))
		if err != nil || !strings.HasPrefix(path, dir) && !strings.Contains(path, "inotify") {
			continue
		}
		ours++
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("%s would be inherited: %v", path, errno)
		}
	}
	if ours < 8 { // directory, clients and inbox of each, and files of names
		t.Errorf("only %d descriptors of ours were found", ours)
	}
}
