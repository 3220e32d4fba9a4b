package primitives

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// atRest fails unless g is as it was made: nobody queued, nothing held, nobody awake.
func atRest(t *testing.T, g *gate) {
	t.Helper()
	if !g.tryAcquire(limit - g.reserve.Load()) {
		t.Fatalf("permits are missing: word %#x, reserve %#x, withheld %#x", g.word.Load(), g.reserve.Load(), g.withheld.Load())
	}
	g.release(limit - g.reserve.Load())
	if s := g.word.Load(); s != g.reserve.Load() {
		t.Fatalf("not at rest: word %#x, reserve %#x", s, g.reserve.Load())
	}
	if g.inbox.Load() != nil || g.line.front != nil || g.line.back != nil {
		t.Fatal("somebody is left in the queue")
	}
}

func TestAStormOfCancelsLeavesTheGateAtRest(t *testing.T) {
	s := NewSemaphore(10)
	var held atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 20000 {
				n := rand.Int64N(10) + 1
				if rand.IntN(3) == 0 {
					n = 1
				}
				ctx, cancel := context.WithCancel(context.Background())
				if i%2 == 0 {
					go cancel()
				}
				var ok bool
				if i%7 == 0 {
					ok = s.TryAcquire(n)
				} else {
					ok = s.Acquire(ctx, n) == nil
				}
				if ok {
					if h := held.Add(n); h > 10 {
						t.Error("too many held", h)
					}
					held.Add(-n)
					s.Release(n)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	atRest(t, &s.gate)
}
