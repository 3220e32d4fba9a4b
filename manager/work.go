package manager

import (
	"context"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
)

// workSlot is where a keeper leaves an operation whose work its caller runs, which has nothing to do
// but to wait for the answer: that saves two goroutine switches. The caller looks into it once, after
// its message has been delivered.
type workSlot struct{ slot atomic.Pointer[operation] }

// noWork stands in the slot when the caller has looked.
var noWork = new(operation)

// offer reports whether the caller will run the work.
func (w *workSlot) offer(op *operation) bool { return w.slot.CompareAndSwap(nil, op) }

// do runs the work that was offered, if any. Of offer and do, the first to come decides, and both
// know.
func (w *workSlot) do(m *Manager) {
	if op := w.slot.Swap(noWork); op != nil && op != noWork {
		m.perform(op)
	}
}

// noContext has the work run within the time for a release.
var noContext context.Context

// run has the caller behind the slot run the work of op with its own context, or a nil one with the
// time for a release, if there is such a caller and it has not looked yet; else a task runs it.
func (k *keeper) run(ctx context.Context, op *operation, work backends.Work, w *workSlot) {
	op.todo, op.ctx = work, ctx // before the work runs, for only that brings answers
	if w != nil && w.offer(op) {
		return
	}
	op.ctx = nil
	k.mail.Go(func() message { k.m.perform(op); return nothing{} })
}

// perform runs the work of op, with the context of its caller or within the time for a release.
func (m *Manager) perform(op *operation) {
	ctx := op.ctx
	if ctx == nil {
		var cancel context.CancelFunc
		ctx, cancel = m.timeout(m.cfg.releaseTimeout)
		defer cancel()
	}
	if op.run(ctx, op.todo) {
		op.sent.Store(true)
	}
}

// run runs work of op, and reports whether it returned. If the store panics, op has failed.
func (op *operation) run(ctx context.Context, work backends.Work) (returned bool) {
	defer op.recover()
	work(ctx)
	return true
}
