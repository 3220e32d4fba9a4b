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

// The page of a store with ten thousand names that are held, and its data.
func BenchmarkStoreOf10000(b *testing.B) {
	m := newManager(b)
	for i := range 10_000 {
		hold(b, m.Lock(fmt.Sprint("tenant/", i%97, "/invoice/", i)))
	}
	serve(b, debug.StoreHandler("bench", m), map[string]string{
		"overview": "/", "name": "/?name=tenant/7/invoice/7", "json": "/?format=json",
	})
}

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
	serve(b, debug.Handler(m), map[string]string{
		"overview": "/", "search": "/?q=invoice/77", "name": "/?name=tenant/7/invoice/7", "json": "/?format=json",
	})
	b.Run("stats", func(b *testing.B) {
		for b.Loop() {
			m.Stats()
		}
	})
}

// serve measures requests. What they answer is counted and thrown away, as a connection does.
func serve(b *testing.B, h http.Handler, targets map[string]string) {
	for name, target := range targets {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := &counter{header: make(http.Header), status: http.StatusOK}
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
				b.ReportMetric(float64(w.bytes)/1024, "KiB")
			}
		})
	}
}

// counter is a connection of which only the length of the answer counts.
type counter struct {
	header http.Header
	status int
	bytes  int
}

func (c *counter) Header() http.Header    { return c.header }
func (c *counter) WriteHeader(status int) { c.status = status }
func (c *counter) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}
