package manager

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// stuckHandler takes no line until it is let go.
type stuckHandler struct {
	slog.Handler

	let    *chan struct{} // made in the bubble
	stands *atomic.Int32
}

func (h stuckHandler) Handle(ctx context.Context, r slog.Record) error {
	h.stands.Add(1)
	<-*h.let
	h.stands.Add(-1)
	return h.Handler.Handle(ctx, r)
}

// A log that takes no lines, as a pipe that nobody reads, costs so many goroutines and no more. When it
// takes lines again, it learns how many it has missed.
func TestALogThatIsStuckPilesUpNoGoroutines(t *testing.T) {
	b := &logBook{}
	h := stuckHandler{slog.NewTextHandler(b, nil), new(chan struct{}), new(atomic.Int32)}
	bubble(t, func(t *testing.T, m *Manager) {
		*h.let = make(chan struct{})
		const names = mostLines + 234
		var leases []*Lease
		for i := range names {
			leases = append(leases, mustAcquire(t, m.Lock(fmt.Sprint(i))))
		}
		before := runtime.NumGoroutine()
		sleep(2 * time.Second)
		synctest.Wait()
		if n, more := h.stands.Load(), runtime.NumGoroutine()-before; n != mostLines || more > mostLines+100 {
			t.Errorf("%d lines are on their way, and %d goroutines more", n, more)
		}
		close(*h.let)
		if n := len(b.take()); n != mostLines {
			t.Errorf("%d lines were logged", n)
		}
		l := mustAcquire(t, m.Lock("db"))
		sleep(2 * time.Second)
		wantLines(t, "the next line", b.take(), "hold name=db left_out=234")
		other := mustAcquire(t, m.Lock("other"))
		sleep(2 * time.Second)
		if lines := b.take(); len(lines) != 1 || strings.Contains(lines[0], "left_out") {
			t.Errorf("the line after it: %q", lines)
		}
		for _, l := range append(leases, l, other) {
			mustRelease(t, l)
		}
	}, WithSlowLog(0, time.Second), WithLogger(slog.New(h)))
}
