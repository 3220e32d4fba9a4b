package harness

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Guard is a lock as [Contended] uses it.
type Guard struct {
	Acquire func(ctx context.Context) error
	Release func() error
}

// share is what one goroutine got. Only that goroutine writes it, anybody may read it.
type share struct {
	grants atomic.Int64
	waits  *hdrhistogram.Histogram // read only after the goroutine has ended
	err    error                   // likewise
	_      [64]byte                // a cache line of its own: counting must not contend
}

// Contended measures goroutines that take one lock again and again, each with a cancellable context, doing nothing in
// between but count. Each round makes a new lock and has two windows, both after a warm-up in which every goroutine has
// started: in the first only grants are counted, in the second every wait is timed.
//
// Figures: ns/op (wall time per grant), grants/s, allocs/op; jain (over the goroutines, first window);
// wait p50 µs, wait p99 µs, wait max µs (second window).
func Contended(goroutines int, lock func() Guard) func(context.Context, Budget) (Metrics, error) {
	return ContendedEach(goroutines, func() func() Guard {
		g := lock()
		return func() Guard { return g }
	})
}

// ContendedEach is [Contended] for locks that want a handle for each goroutine: lock makes the lock, and what it
// returns makes the handles.
func ContendedEach(goroutines int, lock func() func() Guard) func(context.Context, Budget) (Metrics, error) {
	return func(ctx context.Context, b Budget) (Metrics, error) {
		handle := lock()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		c := contest{shares: make([]share, goroutines)}
		var wg sync.WaitGroup
		for i := range c.shares {
			g := handle()
			wg.Go(func() { c.take(ctx, &c.shares[i], g) })
		}
		first := c.count(b.Duration / 4)
		if !b.Quick {
			first = c.count(b.Duration)
		}
		c.timed.Store(true)
		second := c.count(b.Duration / 2)
		c.stop.Store(true)
		wg.Wait()
		return c.metrics(first, second)
	}
}

// contest is one round of Contended.
type contest struct {
	shares      []share
	timed, stop atomic.Bool
	failed      atomic.Int32 // goroutines that ended with an error
}

// window is what happened in a stretch of time.
type window struct {
	took    time.Duration
	grants  []int64
	total   int64
	mallocs uint64
}

// take is one goroutine. It ends when it is told to, or at the first error.
func (c *contest) take(ctx context.Context, s *share, g Guard) {
	s.waits = hdrhistogram.New(1, int64(time.Minute), 2)
	defer func() {
		if s.err != nil {
			c.failed.Add(1)
		}
	}()
	for !c.stop.Load() {
		timed := c.timed.Load()
		var asked time.Time
		if timed {
			asked = time.Now()
		}
		if s.err = g.Acquire(ctx); s.err != nil {
			return
		}
		if timed {
			_ = s.waits.RecordValue(min(int64(time.Since(asked)), int64(time.Minute)))
		}
		s.grants.Store(s.grants.Load() + 1) // its only writer: no read-modify-write needed
		if s.err = g.Release(); s.err != nil {
			return
		}
	}
}

// longest is how long a window may last that has seen no grant.
const longest = 10 * time.Second

// count returns what is granted in the time d, or until the first grant if there is none in d.
func (c *contest) count(d time.Duration) window {
	var before, after runtime.MemStats
	w := window{grants: make([]int64, len(c.shares))}
	runtime.ReadMemStats(&before)
	start := time.Now()
	for i := range c.shares {
		w.grants[i] = -c.shares[i].grants.Load()
	}
	for w.total == 0 && w.took < longest && c.failed.Load() == 0 {
		time.Sleep(d)
		for i := range c.shares {
			w.total += w.grants[i] + c.shares[i].grants.Load()
		}
		w.took = time.Since(start)
	}
	for i := range c.shares {
		w.grants[i] += c.shares[i].grants.Load()
	}
	runtime.ReadMemStats(&after)
	w.mallocs = after.Mallocs - before.Mallocs
	return w
}

func (c *contest) metrics(first, second window) (Metrics, error) {
	waits := hdrhistogram.New(1, int64(time.Minute), 2)
	for i := range c.shares {
		if err := c.shares[i].err; err != nil {
			return nil, err
		}
		waits.Merge(c.shares[i].waits)
	}
	if first.total == 0 {
		return nil, fmt.Errorf("no grant in %v", first.took)
	}
	m := Metrics{
		"ns/op":     float64(first.took.Nanoseconds()) / float64(first.total),
		"grants/s":  float64(first.total) / first.took.Seconds(),
		"allocs/op": float64(first.mallocs) / float64(first.total),
		"jain":      Jain(first.grants),
	}
	m.Waits(waits)
	return m, nil
}

// Waits adds the percentiles of waits, given in nanoseconds.
func (m Metrics) Waits(h *hdrhistogram.Histogram) {
	m["wait p50 µs"] = float64(h.ValueAtQuantile(50)) / 1e3
	m["wait p99 µs"] = float64(h.ValueAtQuantile(99)) / 1e3
	m["wait max µs"] = float64(h.Max()) / 1e3
}
