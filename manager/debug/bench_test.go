package debug_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// The page of ten thousand names that are held, one of ten with a waiter; Stats of them is the
// baseline.
func BenchmarkPageOf10000(b *testing.B) {
	m := newManager(b)
	var waiters sync.WaitGroup
	ctx, cancel := context.WithCancel(b.Context())
	b.Cleanup(func() { cancel(); waiters.Wait() })
	for i := range 10_000 {
		c := m.Lock(fmt.Sprint("tenant/", i%97, "/invoice/", i))
		hold(b, c)
		if i%10 == 0 {
			waiters.Go(func() { _, _ = c.Acquire(ctx) })
		}
	}
	for m.Stats().Waiting < 1000 {
		runtime.Gosched()
	}
	h := debug.Handler(m)
	for name, target := range map[string]string{
		"overview": "/", "search": "/?q=invoice/77", "name": "/?name=tenant/7/invoice/7", "json": "/?format=json",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
				b.ReportMetric(float64(w.Body.Len())/1024, "KiB")
			}
		})
	}
	b.Run("stats", func(b *testing.B) {
		for b.Loop() {
			m.Stats()
		}
	})
}
