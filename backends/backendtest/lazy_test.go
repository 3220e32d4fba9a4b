package backendtest_test

import (
	"context"
	"sync"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// lazy has a store in memory do as one that needs I/O: Start returns all of it as work. It stands
// in for stores whose clauses about work the memory backend does not show.
type lazy struct {
	ops sync.Map // *backends.Op → *progress

	deaf    bool // fault: does not look at the context of work
	forgets bool // fault: the end of the context, or a cancel, forgets the releases
	keeps   bool // fault: a request that is cancelled before its work is made all the same
}

// progress is how far the work of an op has come. Cancel leaves a mark if the op has not been
// started yet; whoever starts it looks at the mark before and after.
type progress struct {
	mu                 sync.Mutex
	started, cancelled bool
}

func (l *lazy) install(h *hooks) {
	h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
		p := &progress{}
		l.ops.Store(op, p)
		return func(ctx context.Context) { l.work(ctx, h, op, p, start) }
	}
	h.OnCancel = func(op *backends.Op, cancel intercept.Start) backends.Work {
		v, _ := l.ops.Load(op)
		p := v.(*progress)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.cancelled = true; !p.started {
			return nil
		}
		return func(context.Context) { cancel(op) }
	}
}

func (l *lazy) work(
	ctx context.Context, h *hooks, op *backends.Op, p *progress, start intercept.Start,
) {
	p.mu.Lock()
	cancelled := p.cancelled
	p.mu.Unlock()
	switch {
	case cancelled && l.keeps:
		op.Fail(context.Canceled)
		start(&backends.Op{Acquire: op.Acquire, Wait: true, Granted: func(int, backends.Grant, error) {}})
		return
	case (cancelled || ctx.Err() != nil) && l.forgets:
		op.Fail(context.Canceled)
		for i := range op.Release {
			op.Released(i, backends.ErrBusy)
		}
		return
	case cancelled:
		start(&backends.Op{Release: op.Release, Released: op.Released})
		op.Fail(context.Canceled)
		return
	case ctx.Err() != nil && !l.deaf:
		start(&backends.Op{Release: op.Release, Released: func(i int, _ error) {
			op.Released(i, backends.ErrUnavailable)
		}})
		op.Fail(ctx.Err())
		return
	}
	start(op)
	p.mu.Lock()
	p.started = true
	cancelled = p.cancelled
	p.mu.Unlock()
	if cancelled {
		h.Backend.Backend.Cancel(op)
	}
}
