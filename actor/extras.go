package actor

import "sync"

// extras is what most actors never need, made when one first does: a cell is allocated with each
// actor, and half of it would lie idle. It belongs to the actor's goroutine, and before the first
// start to its spawner; tasks say there when they have ended, and nothing else touches it.
type extras struct {
	deferred []turn   // asks that handlers have deferred, and some already answered
	timers   []*Timer // armed, and some no longer
	watching map[*watch]struct{}
	working  int            // tasks whose result has not been handled
	tasks    sync.WaitGroup // tasks still running
	rest     *signal        // taken from signals and not called yet, oldest first
}

// extra gives the extras, of which there are some from now on.
func (c *core) extra() *extras {
	if c.extras == nil {
		c.extras = &extras{}
	}
	return c.extras
}

// failDeferred answers every ask still open with err.
func (x *extras) failDeferred(err error) {
	for _, t := range x.deferred {
		t.fail(err)
	}
	x.deferred = nil
}

func (x *extras) stopTimers() {
	for _, t := range x.timers {
		t.Stop()
	}
	x.timers = nil
}

// busy reports whether anything of this is still to come.
func (x *extras) busy() bool {
	if x.working > 0 {
		return true
	}
	for _, t := range x.deferred {
		if t.open() {
			return true
		}
	}
	for _, t := range x.timers {
		if t.pending() {
			return true
		}
	}
	return false
}

// prune drops what is no longer alive from a list that is about to grow past its
// capacity, so that the list stays within twice what is alive, at constant cost per entry.
func prune[T any](list []T, alive func(T) bool) []T {
	if len(list) < cap(list) {
		return list
	}
	kept := list[:0]
	for _, x := range list {
		if alive(x) {
			kept = append(kept, x)
		}
	}
	clear(list[len(kept):])
	if 2*len(kept) > cap(list) { // mostly alive: make room, or the next call would prune again
		kept = append(make([]T, 0, 2*cap(list)), kept...)
	}
	return kept
}
