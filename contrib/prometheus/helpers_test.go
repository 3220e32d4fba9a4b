package lkprometheus

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

func newManager(t testing.TB, b backends.Backend, opts ...manager.Option) *manager.Manager {
	t.Helper()
	m, err := manager.New(b, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	return m
}

// register returns a pedantic registry, which checks that what is collected was described.
func register(t testing.TB, ms ...*manager.Manager) *prometheus.Registry {
	t.Helper()
	c, err := New(ms...)
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	return r
}

func acquire(t testing.TB, c manager.Claim) *manager.Lease {
	t.Helper()
	l, err := c.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func release(t testing.TB, ls ...*manager.Lease) {
	t.Helper()
	for _, l := range ls {
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
}

// sample is the metrics by name and labels, as in a query: name{label="value",…}, without store and
// manager, and without labels that are empty.
type sample map[string]*dto.Metric

func gather(t testing.TB, r prometheus.Gatherer) sample {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	s := make(sample)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			var labels []string
			for _, l := range m.GetLabel() {
				if n := l.GetName(); n != "store" && n != "manager" && l.GetValue() != "" {
					labels = append(labels, n+"="+l.GetValue())
				}
			}
			if len(labels) > 0 {
				key += "{" + strings.Join(labels, ",") + "}"
			}
			if s[key] != nil {
				t.Fatalf("%s is there twice", key)
			}
			s[key] = m
		}
	}
	return s
}

// value returns that of a counter or gauge; the sum of a histogram; of none NaN, and the test has
// failed.
func (s sample) value(t testing.TB, key string) float64 {
	t.Helper()
	m := s[key]
	switch {
	case m == nil:
		t.Errorf("no %s", key)
		return math.NaN()
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetHistogram() != nil:
		return m.GetHistogram().GetSampleSum()
	}
	return m.GetGauge().GetValue()
}

func (s sample) want(t testing.TB, want map[string]float64) {
	t.Helper()
	for key, v := range want {
		if got := s.value(t, key); got != v {
			t.Errorf("%s is %v, want %v", key, got, v)
		}
	}
}
