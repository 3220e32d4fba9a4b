package memory

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Inspect returns who holds the resource and who waits for it, at one instant.
func (b *Backend) Inspect(ctx context.Context, name string) (backends.State, error) {
	if err := backends.CheckName(name); err != nil {
		return backends.State{}, wrap("inspect", "", err)
	}
	state := backends.State{Resource: backends.Resource{Name: name}}
	err := b.run(ctx, "inspect", name, func(s *store) error {
		if r := s.resources[name]; r != nil {
			state = r.state()
		}
		return nil
	})
	return state, err
}

// List yields the state of every resource in use, all as they were at one instant: when the
// sequence began.
func (b *Backend) List(ctx context.Context) iter.Seq2[backends.State, error] {
	return func(yield func(backends.State, error) bool) {
		var states []backends.State
		err := b.run(ctx, "list", "", func(s *store) error {
			states = slices.Grow(states, len(s.resources))
			for _, r := range s.resources {
				states = append(states, r.state())
			}
			return nil
		})
		for _, state := range states {
			if !yield(state, nil) {
				return
			}
		}
		if err != nil {
			yield(backends.State{}, err)
		}
	}
}

// seen is the holder as others see it now.
func (h *holder) seen() backends.Holder {
	seen := h.Holder
	switch { // at least 1: its time is over, but for the timer's message
	case h.timer == nil:
	case h.seal != nil:
		seen.Detached, seen.Expires = true, max(time.Until(h.seal.until), 1)
	default:
		seen.Kept = max(h.least-time.Since(h.Since), 1)
	}
	return seen
}

func (r *resource) state() backends.State {
	state := backends.State{Resource: r.Resource, Token: r.token}
	for _, h := range r.holders {
		state.Holders = append(state.Holders, h.seen())
	}
	for e := r.queue.Front(); e != nil; e = e.Next() {
		w := e.Value.(*place)
		want := &w.op.Acquire[w.i]
		state.Waiters = append(state.Waiters, backends.Waiter{
			ID: w.id, Owner: want.Owner, Weight: want.Weight, Since: w.since,
		})
	}
	return state
}
