package actor

// A Reply is the handler's end of one ask, a small value made to travel in a message. It
// may be used by any goroutine, but for Defer. The zero Reply has no asker.
type Reply[R any] struct {
	slot *slot[R]
	gen  uint64
}

// Send answers. True: the asker gets v, even if its context is done by now. False: it gets
// nothing, for it has gone or was answered before; undo what v gave. Send never blocks.
func (r Reply[R]) Send(v R) bool {
	if r.slot == nil {
		return false
	}
	if _, won := r.turn().win(answered); !won {
		return false
	}
	r.slot.value = v
	r.slot.ready <- struct{}{}
	return true
}

// Fail answers with an error, which Ask returns as it is. Like Send it reports whether
// the asker gets it. A nil err answers with the zero value.
func (r Reply[R]) Fail(err error) bool { return r.slot != nil && r.turn().fail(err) }

func (r Reply[R]) turn() turn { return turn{&r.slot.slotHead, r.gen} }

// Defer says that the answer will come after the handler has returned. It must be called
// by the handler of the ask, before that returns. If the asker goes first, onCancel (unless
// nil) is called on the actor's goroutine, once, between two messages and ahead of the
// mailbox, however full; Send has reported false since the asker went. If the actor ends or
// restarts, an ask still deferred fails, and onCancel is not called any more. A Defer of a reply
// already answered or deferred does nothing.
func (r Reply[R]) Defer(onCancel func()) {
	if r.slot == nil {
		return
	}
	h, c := &r.slot.slotHead, r.slot.target
	w := h.word.Load()
	if w>>genShift != r.gen || h.deferral.use == r.gen+1 {
		return
	}
	if w&stateMask == pending {
		h.deferral = deferral{r.gen + 1, c.life(), onCancel}
		if h.word.CompareAndSwap(w, w|deferred) {
			x := c.extra()
			x.deferred = append(prune(x.deferred, turn.open), r.turn())
			return
		}
		w = h.word.Load()
	}
	if w>>genShift == r.gen && w&stateMask == cancelled { // such a slot is never used again
		h.deferral = deferral{r.gen + 1, c.life(), onCancel}
		h.tellCancelled()
	}
}
