package faults

import (
	"fmt"
	"sync"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
)

// worst collects the figures of several pairs: the worst of each.
type worst struct {
	mu sync.Mutex
	m  harness.Metrics
}

func newWorst() *worst { return &worst{m: harness.Metrics{}} }

func (w *worst) least(name string, x float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if y, ok := w.m[name]; !ok || x < y {
		w.m[name] = x
	}
}

func (w *worst) most(name string, x float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if y, ok := w.m[name]; !ok || x > y {
		w.m[name] = x
	}
}

// count counts the pairs of which it is so.
func (w *worst) count(name string, so bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if so {
		w.m[name]++
	} else {
		w.m[name] += 0 // it is a figure all the same
	}
}

// unanswered notes that the waiter was not granted the lock.
func (p *pair) unanswered(w *worst, got holders.Event, err error) error {
	switch {
	case err != nil:
		return err
	case got.What == nothing:
		w.count(never, true)
		return nil
	default:
		return unexpected(got)
	}
}

// span writes milliseconds as a person reads them.
func span(ms float64) string {
	switch {
	case ms >= 1000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}
