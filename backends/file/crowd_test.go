package file_test

import (
	"context"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/manager"
)

// threads returns how many threads the process has; 0: that cannot be seen here.
func threads(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Logf("NOT CHECKED: the number of threads: %v", err)
		return 0
	}
	n, err := strconv.Atoi(string(regexp.MustCompile(`Threads:\s+(\d+)`).FindSubmatch(status)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A crowd of goroutines waits for a lock that another process holds: it costs the memory of goroutines, no threads, and one
// ticket of the store; and each gets its turn, with a larger token than the one before.
func TestACrowdOfWaitersOfOneProcess(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2000
	}
	dir := t.TempDir() + "/locks"
	other, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manager.New(mine)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	g, err := backends.Acquire(ctx, other, backends.Request{
		Resource: backends.Resource{Name: "db", Kind: backends.Mutex, Capacity: 1}, Weight: 1, Tokens: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	threadsBefore, memoryBefore := threads(t), memory()
	var all sync.WaitGroup
	last, served := g.Token, 0 // guarded by the lock itself
	for range n {
		all.Go(func() {
			l, err := m.Lock("db").Acquire(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if l.Token() <= last {
				t.Errorf("token %d after %d", l.Token(), last)
			}
			last = l.Token()
			served++
			if err := l.Release(); err != nil {
				t.Error(err)
			}
		})
	}
	for m.Stats().Waiting < int64(n) {
		if ctx.Err() != nil {
			t.Fatalf("%d of %d wait", m.Stats().Waiting, n)
		}
		runtime.Gosched()
	}
	s, err := other.Inspect(ctx, "db")
	if err != nil || len(s.Waiters) > 1 {
		t.Errorf("the store has %d tickets, %v; want one for the process", len(s.Waiters), err)
	}
	if now := threads(t); now > threadsBefore+50 {
		t.Errorf("%d threads for %d waiters; %d before", now, n, threadsBefore)
	}
	const most = 16 << 10 // a goroutine's smallest stacks, and room for the race detector's books
	if each := (memory() - memoryBefore) / int64(n); each > most {
		t.Errorf("%d bytes for each waiter; want at most %d", each, most)
	} else {
		t.Logf("%d bytes for each of %d waiters", each, n)
	}
	if err := backends.Release(ctx, other, g); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if served != n {
		t.Errorf("%d were served; want %d", served, n)
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := other.Close(ctx); err != nil {
		t.Error(err)
	}
}

// memory returns what the heap and the stacks take.
func memory() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc + s.StackInuse)
}
