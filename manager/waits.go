package manager

import "github.com/lockkeeper/lockkeeper/actor"

// waits knows which owners of this process hold something and wait for something else, and refuses the wait that would close a
// cycle. Only such waits pass through it; an acquire with an ordinary context costs nothing here.
//
// Owns: the waits for other names of callers whose context says that they hold a lease. Takes: watch, forget.
//
// An edge leads from a waiter to whoever holds what it waits for, if that holder waits as well and the two cannot share. Whoever
// is registered last sees all the others, so a cycle is found when its last edge comes, and its youngest wait is refused.
// It is not found when an owner waits without its context, or in another process: then ctx ends the wait.
type waits struct {
	mail    *actor.OnDemand[errand]
	waiting map[*request]struct{}
}

type (
	watch  struct{ *request }
	forget struct{ *request }
)

func newWaits() *waits {
	w := &waits{waiting: make(map[*request]struct{})}
	w.mail = actor.NewOnDemand("lockkeeper/manager.waits", w.receive, func(errand, *actor.PanicError) {})
	return w
}

// watch and forget are called in pairs, by the goroutine that waits.
func (w *waits) watch(r *request)  { w.mail.Tell(watch{r}) }
func (w *waits) forget(r *request) { w.mail.Tell(forget{r}) }

func (w *waits) receive(msg errand) {
	switch msg := msg.(type) {
	case forget:
		delete(w.waiting, msg.request)
	case watch:
		if msg.state.Load() != pending {
			return
		}
		w.waiting[msg.request] = struct{}{}
		if cycle := w.cycle(msg.request, msg.request, map[*request]bool{}); cycle != nil {
			msg.k.mail.Tell(deny{msg.request, &DeadlockError{Cycle: cycle}})
		}
	}
}

// cycle returns the names on a way from r back to last, nil if there is none.
func (w *waits) cycle(r, last *request, seen map[*request]bool) []string {
	seen[r] = true
	for o := range w.waiting {
		if seen[o] && o != last || o.state.Load() != pending || !o.blocks(r) {
			continue
		}
		if o == last {
			return []string{r.k.name}
		}
		if rest := w.cycle(o, last, seen); rest != nil {
			return append([]string{r.k.name}, rest...)
		}
	}
	return nil
}

// blocks says whether the owner of r, which waits, holds what w waits for in a way that keeps w out.
func (r *request) blocks(w *request) bool {
	for l := r.outer; l != nil; l = l.outer {
		h := l.req
		if h != nil && h.k == w.k && l.end.Load() == nil && h.weight+w.weight > w.cap {
			return true
		}
	}
	return false
}
