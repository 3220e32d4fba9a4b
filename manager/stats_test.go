package manager

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

func TestHistogramCountsInPowersOfTwo(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Error("an empty histogram says something")
	}
	for d, bucket := range map[time.Duration]int{
		-1: 0, 0: 0, time.Microsecond - 1: 0, time.Microsecond: 1, 2 * time.Microsecond: 2, 3 * time.Microsecond: 2,
		time.Millisecond: 10, time.Second: 20, time.Minute: 26, time.Hour: Buckets - 1, 1 << 62: Buckets - 1,
	} {
		var one Histogram
		one.record(d)
		if one[bucket] != 1 {
			t.Errorf("%v is in %v, want bucket %d", d, one, bucket)
		}
		if q := one.Quantile(1); bucket < Buckets-1 && (d >= q || q > 2*max(d, time.Microsecond)) {
			t.Errorf("%v: quantile %v", d, q)
		}
		h.add(&one)
	}
	if h.Count() != 11 {
		t.Errorf("counted %d", h.Count())
	}
	if q := h.Quantile(0.5); q < 2*time.Microsecond || q > 4*time.Microsecond {
		t.Errorf("median %v", q)
	}
}

// Every acquire ends as exactly one of the counters, and what was granted was released, whatever comes and goes.
func TestCountersMissNothingAndCountNothingTwice(t *testing.T) {
	m := newManager(t, memory.New())
	const goroutines, rounds = 8, 2_000
	var wg, reader sync.WaitGroup
	stop := make(chan struct{})
	reader.Go(func() { // totals never go back
		var last uint64
		for {
			select {
			case <-stop:
				return
			default:
			}
			s := m.Stats().Totals
			if s.Acquisitions < last || s.Releases > s.Acquisitions {
				t.Errorf("%d acquired after %d, %d released", s.Acquisitions, last, s.Releases)
				return
			}
			last = s.Acquisitions
		}
	})
	for g := range goroutines {
		rnd := rand.New(rand.NewPCG(7, uint64(g)))
		wg.Go(func() {
			for range rounds {
				name := string(rune('a' + rnd.IntN(4)))
				ctx, cancel := context.WithCancel(context.Background())
				var l *Lease
				switch rnd.IntN(3) {
				case 0:
					go cancel()
					l, _ = m.Lock(name).Acquire(ctx)
				case 1:
					l, _ = m.Lock(name).TryAcquire(ctx)
				default:
					l, _ = m.Lock(name).Acquire(context.Background())
				}
				cancel()
				if l != nil {
					mustRelease(t, l)
				}
				if rnd.IntN(20) == 0 {
					k := m.keeper(name)
					k.mail.Tell(sweep{})
					k.mail.Tell(sweep{})
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	reader.Wait()
	s := m.Stats()
	c := s.Totals
	sum := c.Acquisitions + c.TimedOut + c.Cancelled + c.Busy + c.Failed
	if sum != goroutines*rounds || c.Acquisitions != c.Releases || c.Failed != 0 || c.Lost != 0 || s.Holding != 0 || s.Waiting != 0 {
		t.Errorf("%d of %d: %+v", sum, goroutines*rounds, c)
	}
	if c.Waits.Count() != c.Acquisitions+c.Cancelled || c.Holds.Count() != c.Releases {
		t.Errorf("histograms: %d waits, %d holds of %d", c.Waits.Count(), c.Holds.Count(), c.Acquisitions)
	}
}

func TestStatsShowWhoHoldsAndWaits(t *testing.T) {
	bubble(t, func(t *testing.T, m *Manager) {
		l := mustAcquire(t, m.Lock("b"))
		r := []*Lease{mustAcquire(t, m.RWLock("a").Read()), mustAcquire(t, m.RWLock("a").Read())}
		w := start(m.Lock("b"))
		sleep(3 * time.Second)
		s := m.Stats()
		if s.Store != "memory" || s.Holding != 3 || s.Waiting != 1 || len(s.Resources) != 2 ||
			s.Resources[0].Name != "a" || s.Resources[0].KindName != "rwlock" || s.Resources[0].Holding != 2 {
			t.Errorf("stats: %+v", s)
		}
		mustRelease(t, l)
		l = w.granted(t)
		if q := row(m, "b").Waits.Quantile(1); q < 3*time.Second || q > 6*time.Second {
			t.Errorf("waited %v", q)
		}
		if q := row(m, "b").Holds.Quantile(1); q < 3*time.Second || q > 6*time.Second {
			t.Errorf("held %v", q)
		}
		mustRelease(t, append(r, l)...)
	})
}

func TestNamesOfStatsAreStable(t *testing.T) {
	b, err := json.Marshal(Stats{Resources: []ResourceStats{{Name: "x", KindName: "mutex"}}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	totals, _ := got["totals"].(map[string]any)
	rows, _ := got["resources"].([]any)
	first, _ := rows[0].(map[string]any)
	for _, k := range []string{
		"acquisitions", "releases", "contended", "timed_out", "cancelled", "busy", "failed", "lost", "handoffs",
		"renewals", "requeued", "waits", "holds",
	} {
		if _, ok := totals[k]; !ok {
			t.Errorf("totals miss %q", k)
		}
		if _, ok := first[k]; !ok {
			t.Errorf("a row misses %q", k)
		}
	}
	for _, k := range []string{"name", "kind", "capacity", "holding", "waiting"} {
		if _, ok := first[k]; !ok {
			t.Errorf("a row misses %q", k)
		}
	}
}
