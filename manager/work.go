package manager

import (
	"context"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/backends"
)

// workSlot is where a keeper leaves the store's work for its caller, which has nothing to do but to
// wait for the answer: that saves two goroutine switches. The caller looks into it once, after its
// message has been delivered.
type workSlot struct{ slot atomic.Pointer[func()] }

// noWork stands in the slot when the caller has looked.
var noWork = new(func())

// offer reports whether the caller will run f.
func (w *workSlot) offer(f func()) bool { return w.slot.CompareAndSwap(nil, &f) }

// do runs the work that was offered, if any. Of offer and do, the first to come decides, and both
// know.
func (w *workSlot) do() {
	if f := w.slot.Swap(noWork); f != nil && f != noWork {
		(*f)()
	}
}

// noContext has the work run within the time for a release.
var noContext context.Context

// run has the caller behind the slot run the work of op with its own context, or a nil one with the
// time for a release, if there is such a caller and it has not looked yet; else a task runs it.
func (k *keeper) run(ctx context.Context, op *operation, work backends.Work, w *workSlot) {
	sends := func(ctx context.Context) {
		work(ctx)
		op.sent.Store(true)
	}
	task := func() { k.m.perform(op, sends) }
	mine := task
	if ctx != nil {
		mine = func() { op.run(ctx, sends) }
	}
	op.ctx = ctx // before the work runs, for only that brings answers
	if w != nil && w.offer(mine) {
		return
	}
	op.ctx = nil
	k.mail.Go(func() message { task(); return nothing{} })
}

// perform runs work of op within the time for a release.
func (m *Manager) perform(op *operation, work backends.Work) {
	ctx, cancel := m.timeout(m.cfg.releaseTimeout)
	defer cancel()
	op.run(ctx, work)
}

// run runs work of op. If the store panics, op has failed.
func (op *operation) run(ctx context.Context, work backends.Work) {
	defer op.recover()
	work(ctx)
}
