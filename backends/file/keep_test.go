package file

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

func atLeast(name string, d time.Duration) backends.Request {
	r := mutex(name)
	r.AtLeast = d
	return r
}

// takeAndDie has a process take a name and be killed.
func takeAndDie(t *testing.T, dir string, r backends.Request) backends.Grant {
	t.Helper()
	p := startClient(t, dir)
	g := mustAcquire(t, p, r)
	p.p.Kill()
	<-p.done
	return g
}

// No process holds the name, and none tells when the time is over: the first waiter's own timer
// does, or that of the next one if the first has left.
func TestKeptGrantOfADeadProcessEndsByTheWaitersTimer(t *testing.T) {
	for d := time.Second; !keptUntilTheTimer(t, d); d *= 2 {
		t.Logf("this machine took longer than %v for a process", d)
	}
}

// keptUntilTheTimer reports false if the time was over before anybody waited.
func keptUntilTheTimer(t *testing.T, d time.Duration) bool {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	began := time.Now()
	takeAndDie(t, dir, atLeast("job", d))
	ctx, leave := context.WithCancel(patient(t))
	defer leave()
	first, second := make(chan error, 1), make(chan error, 1)
	go take(ctx, a, first)
	queued := waitFor(t, a, 1, began.Add(d))
	go take(patient(t), b, second)
	queued = queued && waitFor(t, a, 2, began.Add(d))
	seen, err := a.Inspect(patient(t), "job")
	look, err2 := Inspect(patient(t), dir, "job")
	leave()
	left, err3 := <-first, <-second
	passed := time.Since(began)
	if !queued || left == nil {
		return false
	}
	for _, s := range []backends.State{seen, look} {
		if len(s.Holders) != 1 || s.Holders[0].Kept <= 0 || s.Holders[0].Kept > d {
			t.Errorf("Inspect: %+v, %v, %v; want a grant that is kept", s, err, err2)
		}
	}
	if err3 != nil || passed < d {
		t.Errorf("granted after %v, %v; want %v at least", passed, err3, d)
	}
	return true
}

// take acquires and releases.
func take(ctx context.Context, b *Backend, done chan<- error) {
	g, err := backends.Acquire(ctx, b, mutex("job"))
	if err == nil {
		err = backends.Release(context.Background(), b, g)
	}
	done <- err
}

// waitFor reports whether n requests wait before a time.
func waitFor(t *testing.T, b *Backend, n int, end time.Time) bool {
	for waiters(t, b, "job") != n {
		if !time.Now().Before(end) {
			return false
		}
		runtime.Gosched()
	}
	return true
}

// The last line of a sole holder may stay in the table, and means nothing unless it keeps.
func TestLineOfASoleHolderKeeps(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	mustRelease(t, a, mustAcquire(t, a, mutex("job")))
	mustRelease(t, a, mustAcquire(t, a, atLeast("job", time.Hour)))
	mustBeBusy(t, a, mutex("job"))
	mustBeBusy(t, b, mutex("job"))
	mustBeBusy(t, b, atLeast("job", time.Hour))
	if text, err := os.ReadFile(dir + "/job.table"); err != nil || !strings.Contains(string(text), " kept 3600000000 until ") {
		t.Errorf("the table: %v\n%s", err, text)
	}
	if err := b.Break(patient(t), "job"); err != nil {
		t.Fatal(err)
	}
	mustRelease(t, b, mustAcquire(t, b, mutex("job")))
}
