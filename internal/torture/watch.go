//go:build linux

package torture

import (
	"context"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/history"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// watch returns b with the requests of its operations logged, for the check of the order: when each
// was started, when it stood in its queue for certain (its work had returned without an answer), and
// the token that it got. A request that was told that it lost its place stood nowhere. Nor is it known
// for several names, where the store takes their places slot by slot.
func watch(b backends.Backend, l *log, slots bool) backends.Backend {
	return &intercept.Backend{Backend: b, OnStart: func(op *backends.Op, start intercept.Start) backends.Work {
		if len(op.Acquire) == 0 {
			return start(op)
		}
		w := &watched{log: l, wait: op.Wait, from: history.Now(), requests: make([]request, len(op.Acquire))}
		acquire := make([]backends.Request, len(op.Acquire))
		for i, r := range op.Acquire {
			w.requests[i].name = r.Name
			notify := r.Notify
			r.Notify = func(e backends.Event) {
				if e.Type == backends.Requeued {
					w.requeued(i)
				}
				if notify != nil {
					notify(e)
				}
			}
			acquire[i] = r
		}
		op.Acquire = acquire
		told := op.Granted
		op.Granted = func(i int, g backends.Grant, err error) {
			w.answered(i, g, err)
			told(i, g, err)
		}
		work := start(op)
		if slots && len(op.Acquire) > 1 {
			return work
		}
		if work == nil {
			w.placed()
			return nil
		}
		return func(ctx context.Context) {
			work(ctx)
			w.placed()
		}
	}}
}

// watched is one operation. Answers come from any goroutine.
type watched struct {
	log  *log
	from int64
	wait bool // else it is a try, which never queues

	mu       sync.Mutex
	requests []request
}

type request struct {
	name     string
	placed   int64
	requeued bool
	done     bool
}

func (w *watched) placed() {
	now := history.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.requests {
		if r := &w.requests[i]; !r.done {
			r.placed = now
		}
	}
}

func (w *watched) requeued(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests[i].requeued = true
}

func (w *watched) answered(i int, g backends.Grant, err error) {
	w.mu.Lock()
	r := w.requests[i]
	w.requests[i].done = true
	w.mu.Unlock()
	if err != nil {
		return
	}
	e := event{Kind: placed, Name: r.name, Token: g.Token, From: w.from, Mid: r.placed}
	if r.requeued || !w.wait {
		e.Mid = 0
	}
	w.log.add(e)
}
