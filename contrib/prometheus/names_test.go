package lkprometheus

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// byKind makes "user:*" of "user:123", and has no key for names without a colon.
func byKind(name string) (string, bool) {
	before, _, ok := strings.Cut(name, ":")
	return before + ":*", ok
}

func TestNamesWithoutAKeyHaveNoSeries(t *testing.T) {
	for what, opts := range map[string][]manager.Option{
		"none": nil, "some": {manager.WithHistory(byKind)},
	} {
		m := newManager(t, memory.New(), opts...)
		r := register(t, m)
		var ls []*manager.Lease
		for i := range 100 {
			ls = append(ls, acquire(t, m.Lock(fmt.Sprint("user:", i))), acquire(t, m.Lock(fmt.Sprint("secret ", i))))
		}
		s := gather(t, r)
		names := make(map[string]bool)
		for _, m := range s {
			for _, l := range m.GetLabel() {
				if l.GetName() == "name" {
					names[l.GetValue()] = true
				}
			}
		}
		if opts == nil {
			s.want(t, map[string]float64{"lockkeeper_held": 200, "lockkeeper_acquisitions_total{result=acquired}": 200})
		} else {
			s.want(t, map[string]float64{
				"lockkeeper_held": 100, "lockkeeper_held{name=user:*}": 100,
				"lockkeeper_acquisitions_total{result=acquired}":             100,
				"lockkeeper_acquisitions_total{name=user:*,result=acquired}": 100,
			})
		}
		if len(names) != 1+len(opts) {
			t.Errorf("%s: names %v", what, names)
		}
		release(t, ls...)
	}
}

// Keys that Prometheus cannot have, and an empty key, make no scrape fail and lose nothing.
func TestKeysOfAnyBytesAreCounted(t *testing.T) {
	m := newManager(t, memory.New(), manager.WithLabel("\xff"), manager.WithHistory(func(name string) (string, bool) {
		return strings.TrimSuffix(name, "empty"), true
	}))
	r := register(t, m)
	ls := []*manager.Lease{
		acquire(t, m.Lock("a\xff")), acquire(t, m.Lock("a\xfe")), acquire(t, m.Lock("empty")), acquire(t, m.Lock("\n\"\\")),
	}
	gather(t, r).want(t, map[string]float64{
		"lockkeeper_held{name=a\uFFFD}": 2, "lockkeeper_held": 1, "lockkeeper_held{name=\n\"\\}": 1,
		"lockkeeper_acquisitions_total{name=a\uFFFD,result=acquired}": 2,
		"lockkeeper_acquisitions_total{result=acquired}":              1,
	})
	release(t, ls...)
}

func TestNamesThatRetireKeepTheirCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memory.New(), manager.WithHistory(byKind))
		r := register(t, m)
		for i := range 3 {
			release(t, acquire(t, m.Lock(fmt.Sprint("user:", i))), acquire(t, m.Lock(fmt.Sprint(i))))
			time.Sleep(time.Minute)
			if n := len(m.Stats().Resources); n != 0 {
				t.Fatalf("%d names are live", n)
			}
			gather(t, r).want(t, map[string]float64{
				"lockkeeper_acquisitions_total{name=user:*,result=acquired}": float64(i + 1),
				"lockkeeper_acquisitions_total{result=acquired}":             float64(i + 1),
				"lockkeeper_held{name=user:*}":                               0,
			})
		}
	})
}

// While names come, are used and retire, no counter and no bucket goes back from scrape to scrape.
func TestCountersNeverGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, memory.New(), manager.WithHistory(byKind))
		r := register(t, m)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					release(t, acquire(t, m.Lock(fmt.Sprint("user:", i%7))), acquire(t, m.Lock(fmt.Sprint(g, i%5))))
					time.Sleep(time.Duration(i%9) * 50 * time.Millisecond) // sometimes long enough to retire
				}
			})
		}
		last := map[string]float64{}
		for range 200 {
			now := monotone(gather(t, r))
			for key, before := range last {
				if v, ok := now[key]; !ok || v < before {
					t.Errorf("%s: %v (%v) after %v", key, v, ok, before)
				}
			}
			last = now
			time.Sleep(37 * time.Millisecond)
		}
		close(stop)
		wg.Wait()
	})
}

// monotone returns what must not go back: counters, and the sums, counts and buckets of histograms.
func monotone(s sample) map[string]float64 {
	all := make(map[string]float64)
	for key, m := range s {
		if c := m.GetCounter(); c != nil {
			all[key] = c.GetValue()
		}
		if h := m.GetHistogram(); h != nil {
			all[key+" sum"], all[key+" count"] = h.GetSampleSum(), float64(h.GetSampleCount())
			for _, b := range h.GetBucket() {
				all[fmt.Sprint(key, " le ", b.GetUpperBound())] = float64(b.GetCumulativeCount())
			}
		}
	}
	return all
}

func TestManagersWithTheSameLabelsCountAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newManager(t, memory.New()), newManager(t, memory.New())
		c := newManager(t, memory.New(), manager.WithLabel("c"))
		r := register(t, a, b, c)
		ls := []*manager.Lease{acquire(t, a.Lock("x"))}
		time.Sleep(time.Second)
		ls = append(ls, acquire(t, b.Lock("x")), acquire(t, c.Lock("x")))
		time.Sleep(time.Second)
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]map[string]float64{
			"lockkeeper_held":                 {"": 2, "c": 1},
			"lockkeeper_longest_hold_seconds": {"": 2, "c": 1},
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					w := want[f.GetName()]
					if l.GetName() == "manager" && w != nil && m.GetGauge().GetValue() != w[l.GetValue()] {
						t.Errorf("%s of %q is %v", f.GetName(), l.GetValue(), m.GetGauge().GetValue())
					}
				}
			}
		}
		release(t, ls...)
	})
}
