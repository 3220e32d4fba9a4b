package primitives

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// rounds is n, less under -short, and less still under the race detector.
func rounds(n int) int {
	if testing.Short() {
		n /= 10
	}
	if raceEnabled {
		n /= 20
	}
	return max(n, 1)
}

// atRest fails unless g is as it was made: nobody queued, nothing held, nobody awake.
func atRest(t *testing.T, g *gate) {
	t.Helper()
	if !g.tryAcquire(limit - g.reserve.Load()) {
		t.Fatalf("permits are missing: word %#x, reserve %#x, withheld %#x",
			g.word.Load(), g.reserve.Load(), g.withheld.Load())
	}
	g.release(limit - g.reserve.Load())
	// The keeper may still be on its way home, on a goroutine of its own.
	for !g.keeper.Enter() {
		runtime.Gosched()
	}
	if !g.inbox.empty() || g.line.front != nil || g.line.back != nil || g.nominee.Load() != nil {
		t.Error("somebody is left in the queue")
	}
	g.keeper.Leave(g)
	if s := g.word.Load(); s != g.reserve.Load() {
		t.Errorf("not at rest: word %#x, reserve %#x", s, g.reserve.Load())
	}
}

// queueLength counts those in the queue of g. It takes a turn of the keeper to do so.
func queueLength(g *gate) int {
	for !g.keeper.Enter() {
		runtime.Gosched()
	}
	defer g.keeper.Leave(g)
	n := 0
	for _, w := range []*waiter{g.line.front, g.inbox.newest.Load()} {
		for ; w != nil; w = w.next {
			if n++; w.kind() == locking {
				n += int(w.batch.Load()&waiting) - 1
			}
		}
	}
	return n
}

// awaitQueue returns when n are queued at g.
func awaitQueue(g *gate, n int) {
	for queueLength(g) != n {
		runtime.Gosched()
	}
}

// done is a context that has ended, with a cause.
func done() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errShift)
	return ctx
}

var errShift = errors.New("the shift is over")

// panics returns what f panics with, as text, or "".
func panics(f func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = v.(string)
		}
	}()
	f()
	return ""
}
