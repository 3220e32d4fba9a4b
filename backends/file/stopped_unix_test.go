//go:build unix

package file

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestStoppedHolderHoldsOn(t *testing.T) {
	dir := t.TempDir() + "/locks"
	holder, b := startClient(t, dir), sleepless(t, dir)
	g := mustAcquire(t, holder, mutex("db"))
	stop(t, holder.p, dir+"/db.table")
	w := enqueue(t, b, mutex("db"))
	mustBeBusy(t, b, mutex("db"))
	w.cancel()
	if <-w.done; !errors.Is(w.err, context.Canceled) {
		t.Fatalf("Acquire = %+v, %v; want context.Canceled", w.grant, w.err)
	}
	w = enqueue(t, b, mutex("db"))
	holder.p.Signal(syscall.SIGCONT)
	mustRelease(t, holder, g)
	mustRelease(t, b, w.granted())
}

// A holder that was stopped cannot be told that its lock file has gone, and so it holds on: nobody is granted on the new file.
func TestStoppedHolderOfARemovedFileHoldsOn(t *testing.T) {
	for _, r := range []backends.Request{mutex("db"), writer("db")} {
		dir := t.TempDir() + "/locks"
		holder, b := startClient(t, dir), sleepless(t, dir)
		ended := make(chan backends.Event, 1)
		watched := r
		watched.Notify = func(e backends.Event) {
			if e.Type == backends.Lost {
				ended <- e
			}
		}
		g := mustAcquire(t, holder, watched)
		stop(t, holder.p, dir+"/db.table")
		if err := os.Remove(dir + "/db.lock"); err != nil {
			t.Fatal(err)
		}
		mustBeBusy(t, b, r)
		if s, err := b.Inspect(patient(t), "db"); err != nil || len(s.Holders) != 1 {
			t.Fatalf("Inspect = %+v, %v; want the holder", s, err)
		}
		w := enqueue(t, b, r)
		select {
		case <-w.done:
			t.Fatalf("granted beside a holder that was not told: %+v, %v", w.grant, w.err)
		default:
		}
		holder.p.Signal(syscall.SIGCONT)
		if e := <-ended; !errors.Is(e.Err, backends.ErrLost) {
			t.Errorf("the holder was told %v", e.Err)
		}
		h := w.granted()
		if h.Token <= g.Token {
			t.Errorf("token %d after %d", h.Token, g.Token)
		}
		mustRelease(t, b, h)
	}
}

// A leftover line whose lock file has gone delays the next one until its process has looked, and no longer.
func TestLeftoverLineOfARemovedFile(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	a.timing.linger = time.Hour // so that only b's message makes it look
	mustRelease(t, a, mustAcquire(t, a, mutex("db")))
	if err := os.Remove(dir + "/db.lock"); err != nil {
		t.Fatal(err)
	}
	mustRelease(t, b, mustAcquire(t, b, mutex("db")))

	mustRelease(t, a, mustAcquire(t, a, mutex("db")))
	killed := startClient(t, dir)
	mustAcquire(t, killed, mutex("db"))
	stop(t, killed.p, dir+"/db.table")
	if err := os.Remove(dir + "/db.lock"); err != nil {
		t.Fatal(err)
	}
	w := enqueue(t, b, mutex("db"))
	killed.p.Kill()
	mustRelease(t, b, w.granted())
}

// stop stops a process, and not in the middle of changing a table: that is another test's concern.
func stop(t *testing.T, p *proctest.Process, table string) {
	t.Helper()
	for ctx := patient(t); ; p.Signal(syscall.SIGCONT) {
		p.Signal(syscall.SIGSTOP)
		var status syscall.WaitStatus
		if err := lockdir.Retry(func() error {
			_, err := syscall.Wait4(p.PID(), &status, syscall.WUNTRACED, nil)
			return err
		}); err != nil || !status.Stopped() {
			t.Fatalf("the process did not stop: %v, %v", status, err)
		}
		ok, err := tryFile(table)
		if ok && err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the process always has the table locked: %v", err)
		}
	}
}

// A process that was stopped while it changed a table delays others, but every call answers within its context.
func TestTableLockedByStoppedProcess(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	g := mustAcquire(t, a, mutex("db"))
	w := enqueue(t, b, mutex("db"))
	stuck, err := os.OpenFile(dir+"/db.table", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	if err := syscall.Flock(int(stuck.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := backends.Release(ctx, a, g); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Release: %v", err)
	}
	w.cancel()
	if <-w.done; !errors.Is(w.err, context.Canceled) {
		t.Errorf("Acquire: %v; want context.Canceled", w.err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := backends.Acquire(ctx, b, mutex("db")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Acquire: %v; want context.DeadlineExceeded", err)
	}
	if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v; want context.DeadlineExceeded", err)
	}
	if err := syscall.Flock(int(stuck.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(patient(t)); err != nil {
		t.Errorf("Close: %v", err)
	}
	mustRelease(t, a, mustAcquire(t, a, mutex("db")))
	if s, err := a.Inspect(patient(t), "db"); err != nil || len(s.Holders)+len(s.Waiters) > 0 {
		t.Errorf("Inspect = %+v, %v; want nobody", s, err)
	}
}
