package lkprometheus

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// plain returns a registry as programs use it, without the checks of a pedantic one.
func plain(b *testing.B, m *manager.Manager) *prometheus.Registry {
	c, err := New(m)
	if err != nil {
		b.Fatal(err)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	return r
}

// A scrape of a process that holds ten thousand locks, with the series of a hundred keys. Target:
// 50 ms. The baseline is what the collector reads.
func BenchmarkScrapeOf10000(b *testing.B) {
	m := newManager(b, memory.New(), manager.WithHistory(func(name string) (string, bool) {
		return name[:len("name 000")], true
	}))
	for i := range 10_000 {
		l := acquire(b, m.Lock(fmt.Sprintf("name %05d", i)))
		defer release(b, l)
	}
	web := promhttp.HandlerFor(plain(b, m), promhttp.HandlerOpts{})
	b.Run("scrape", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rec := httptest.NewRecorder()
			web.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			if rec.Code != 200 {
				b.Fatal(rec.Body)
			}
		}
	})
	b.Run("stats", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if s := m.Stats(); len(s.History) != 100 {
				b.Fatal(len(s.History))
			}
		}
	})
}

// The same with no list of names, as most programs begin.
func BenchmarkScrapeOf10000WithoutNames(b *testing.B) {
	m := newManager(b, memory.New())
	for i := range 10_000 {
		l := acquire(b, m.Lock(fmt.Sprint("name ", i)))
		defer release(b, l)
	}
	web := promhttp.HandlerFor(plain(b, m), promhttp.HandlerOpts{})
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		web.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}
