package file

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func reader(name string) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.ReadWrite, Capacity: backends.ReadWriteCapacity},
		Weight:   1, Tokens: 1,
	}
}

func writer(name string) backends.Request {
	r := reader(name)
	r.Weight = r.Capacity
	return r
}

func permits(name string, n, of int64) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Semaphore, Capacity: of}, Weight: n, Tokens: 1,
	}
}

// patient returns a context for what must happen: it ends long after that, so that a fault fails the test and does
// not hang it.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// sleepless returns a client for which no timer looks after lost wake-ups.
func sleepless(t testing.TB, dir string, opts ...Option) *Backend {
	b := open(t, dir, opts...)
	trustEvents(b)
	return b
}

func mustAcquire(t testing.TB, b backends.Backend, r backends.Request) backends.Grant {
	t.Helper()
	g, err := backends.Acquire(patient(t), b, r)
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return g
}

func mustRelease(t testing.TB, b backends.Backend, g backends.Grant) {
	t.Helper()
	if err := backends.Release(patient(t), b, g); err != nil {
		t.Fatalf("Release: %v", err)
	}
}

func mustBeBusy(t testing.TB, b backends.Backend, r backends.Request) {
	t.Helper()
	if g, err := backends.TryAcquire(patient(t), b, r); !errors.Is(err, backends.ErrBusy) {
		t.Fatalf("TryAcquire = %+v, %v; want ErrBusy", g, err)
	}
}

// waiterOf is a request that stands in the queue.
type waiterOf struct {
	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	grant  backends.Grant
	err    error
}

// enqueue begins an Acquire and returns when the queue is as long as it makes it.
func enqueue(t testing.TB, b backends.Backend, r backends.Request) *waiterOf {
	t.Helper()
	ctx, cancel := context.WithCancel(patient(t))
	before := waiters(t, b, r.Name)
	w := &waiterOf{t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.grant, w.err = backends.Acquire(ctx, b, r)
	}()
	t.Cleanup(func() { cancel(); <-w.done })
	for waiters(t, b, r.Name) <= before {
		select {
		case <-w.done:
			t.Fatalf("Acquire did not wait: %+v, %v", w.grant, w.err)
		default:
			runtime.Gosched()
		}
	}
	return w
}

func waiters(t testing.TB, b backends.Backend, name string) int {
	t.Helper()
	s, err := b.Inspect(patient(t), name)
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	return len(s.Waiters)
}

func (w *waiterOf) granted() backends.Grant {
	w.t.Helper()
	<-w.done
	if w.err != nil {
		w.t.Fatalf("Acquire: %v", w.err)
	}
	return w.grant
}

func TestKilledHolderFreesAtOnce(t *testing.T) {
	for what, r := range map[string][2]backends.Request{
		"mutex": {mutex("db"), mutex("db")}, "writer": {writer("db"), reader("db")}, "reader": {reader("db"), writer("db")},
		"semaphore": {permits("db", 2, 3), permits("db", 3, 3)},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir() + "/locks"
			holder, b := startClient(t, dir), sleepless(t, dir)
			g := mustAcquire(t, holder, r[0])
			w := enqueue(t, b, r[1])
			start := time.Now()
			holder.p.Kill()
			h := w.granted()
			t.Logf("granted %v after the kill was sent", time.Since(start))
			if h.Token <= g.Token {
				t.Errorf("token %d after %d", h.Token, g.Token)
			}
			mustRelease(t, b, h)
		})
	}
}

// A try finds out by itself that the holder is dead.
func TestTryAfterKill(t *testing.T) {
	dir := t.TempDir() + "/locks"
	holder, b := startClient(t, dir), sleepless(t, dir)
	mustAcquire(t, holder, permits("db", 1, 1))
	mustBeBusy(t, b, permits("db", 1, 1))
	holder.p.Kill()
	g, err := backends.TryAcquire(patient(t), b, permits("db", 1, 1))
	if err != nil {
		t.Fatalf("TryAcquire: %v", err)
	}
	mustRelease(t, b, g)
}

func TestKilledWaitersAreSkipped(t *testing.T) {
	dir := t.TempDir() + "/locks"
	a, b := sleepless(t, dir), sleepless(t, dir)
	dead := []*distant{startClient(t, dir), startClient(t, dir), startClient(t, dir)}
	g := mustAcquire(t, a, mutex("db"))
	for _, d := range dead {
		w := enqueue(t, d, mutex("db"))
		defer w.cancel()
	}
	w := enqueue(t, b, mutex("db"))
	dead[1].p.Kill() // in the middle, then the rest
	dead[2].p.Kill()
	dead[0].p.Kill()
	<-dead[0].done
	mustRelease(t, a, g)
	mustRelease(t, b, w.granted())
}

// The holder and everybody before us die; nobody is left to wake us.
func TestKilledHolderAndWaiters(t *testing.T) {
	for range 5 {
		dir := t.TempDir() + "/locks"
		b := sleepless(t, dir)
		var dead []*distant
		for range 4 {
			dead = append(dead, startClient(t, dir))
		}
		mustAcquire(t, dead[0], mutex("db"))
		for _, d := range dead[1:] {
			defer enqueue(t, d, mutex("db")).cancel()
		}
		w := enqueue(t, b, mutex("db"))
		rand.Shuffle(len(dead), func(i, j int) { dead[i], dead[j] = dead[j], dead[i] })
		for _, d := range dead {
			d.p.Kill()
		}
		mustRelease(t, b, w.granted())
	}
}

// Many processes come at once. Everyone gets its turn, one at a time, and nothing is left.
func TestManyProcessesAtOnce(t *testing.T) {
	n := 100
	switch {
	case testing.Short():
		n = 20
	case long:
		n = 500
	}
	dir := t.TempDir() + "/locks"
	b := sleepless(t, dir)
	counter := filepath.Join(t.TempDir(), "counter")
	if err := os.WriteFile(counter, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	var commands []*exec.Cmd
	for range n {
		cmd := proctest.Command(t, "count", dir, counter)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, cmd)
	}
	for _, cmd := range commands {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadFile(counter); err != nil || string(got) != strconv.Itoa(n) {
		t.Errorf("the counter is %s, %v; want %d", got, err, n)
	}
	for s, err := range b.List(patient(t)) {
		t.Errorf("left behind: %+v, %v", s, err)
	}
	inboxes, err := os.ReadDir(filepath.Join(dir, lockdir.ClientsName))
	if err != nil || len(inboxes) != 1 {
		t.Errorf("%d inboxes are left, %v; want one, ours", len(inboxes), err)
	}
}

// count is the helper that adds one to a number in a file, under a lock.
func count(c *proctest.Child) error {
	b, err := New(c.Args[0])
	if err != nil {
		return err
	}
	trustEvents(b)
	ctx := context.Background()
	g, err := backends.Acquire(ctx, b, mutex("db"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(c.Args[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Args[1], []byte(strconv.Itoa(n+1)), 0o600); err != nil {
		return err
	}
	if err := backends.Release(ctx, b, g); err != nil {
		return err
	}
	return b.Close(ctx)
}
