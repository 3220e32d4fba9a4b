package harness

import (
	"context"
	"fmt"
	"runtime"
	"slices"
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
		c := contest{shares: make([]share, goroutines), patient: true}
		s, err := c.run(ctx, lock(), b)
		if err != nil {
			return nil, err
		}
		if s.Total() == 0 {
			return nil, fmt.Errorf("no grant in %v", s.Took)
		}
		return s.Metrics(), nil
	}
}

// Shares is what the goroutines of a contest got.
type Shares struct {
	Took    time.Duration          // length of the first window
	Grants  []int64                // in the first window, by goroutine
	Mallocs uint64                 // likewise, of the whole process
	Overall int64                  // grants from the start to the end
	Waits   *hdrhistogram.Snapshot // of the second window, in nanoseconds
}

// Contend runs goroutines that take one lock again and again, as [Contended] says, and returns what each of them got. It
// is for one of several processes that contend: that this one gets nothing at all is a result, not an error.
func Contend(ctx context.Context, goroutines int, handle func() Guard, b Budget) (Shares, error) {
	c := contest{shares: make([]share, goroutines)}
	return c.run(ctx, handle, b)
}

// run is the contest, from the first goroutine to the last.
func (c *contest) run(ctx context.Context, handle func() Guard, b Budget) (Shares, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
	c.count(b.Duration / 2)
	c.stop.Store(true)
	wg.Wait()
	waits := hdrhistogram.New(1, int64(time.Minute), 2)
	for i := range c.shares {
		if err := c.shares[i].err; err != nil {
			return Shares{}, err
		}
		waits.Merge(c.shares[i].waits)
		first.Overall += c.shares[i].grants.Load()
	}
	first.Waits = waits.Export()
	return first, nil
}

// contest is one round of Contended.
type contest struct {
	shares      []share
	timed, stop atomic.Bool
	failed      atomic.Int32 // goroutines that ended with an error
	patient     bool         // wait for the first grant: there must be one
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

// count returns what is granted in the time d; a patient contest goes on until the first grant if there is none in d.
func (c *contest) count(d time.Duration) Shares {
	var before, after runtime.MemStats
	s := Shares{Grants: make([]int64, len(c.shares))}
	runtime.ReadMemStats(&before)
	start := time.Now()
	for i := range c.shares {
		s.Grants[i] = -c.shares[i].grants.Load()
	}
	for granted := false; !granted && s.Took < longest && c.failed.Load() == 0; s.Took = time.Since(start) {
		time.Sleep(d)
		granted = !c.patient
		for i := range c.shares {
			granted = granted || s.Grants[i]+c.shares[i].grants.Load() > 0
		}
	}
	for i := range c.shares {
		s.Grants[i] += c.shares[i].grants.Load()
	}
	runtime.ReadMemStats(&after)
	s.Mallocs = after.Mallocs - before.Mallocs
	return s
}

// Add counts the shares of another process with these; both ran at the same time.
func (s *Shares) Add(o Shares) {
	s.Took = max(s.Took, o.Took)
	s.Grants = append(s.Grants, o.Grants...)
	s.Mallocs += o.Mallocs
	s.Overall += o.Overall
	if s.Waits == nil {
		s.Waits = o.Waits
		return
	}
	h := hdrhistogram.Import(s.Waits)
	h.Merge(hdrhistogram.Import(o.Waits))
	s.Waits = h.Export()
}

// Total returns the number of grants.
func (s Shares) Total() int64 {
	var n int64
	for _, g := range s.Grants {
		n += g
	}
	return n
}

// Metrics returns the figures that Contended lists.
func (s Shares) Metrics() Metrics {
	total := float64(s.Total())
	m := Metrics{
		"ns/op":         float64(s.Took.Nanoseconds()) / total,
		"grants/s":      total / s.Took.Seconds(),
		"allocs/op":     float64(s.Mallocs) / total,
		"jain":          Jain(s.Grants),
		"fewest grants": float64(slices.Min(s.Grants)),
		"most grants":   float64(slices.Max(s.Grants)),
	}
	m.Waits(hdrhistogram.Import(s.Waits))
	return m
}

// Waits adds the percentiles of waits, given in nanoseconds.
func (m Metrics) Waits(h *hdrhistogram.Histogram) {
	m["wait p50 µs"] = float64(h.ValueAtQuantile(50)) / 1e3
	m["wait p99 µs"] = float64(h.ValueAtQuantile(99)) / 1e3
	m["wait max µs"] = float64(h.Max()) / 1e3
}
