package modeltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

// settle waits until the store has answered what the model has, and takes the answers in.
func (w *world) settle() {
	w.wait("answers as the model", w.agree)
	next := maps.Clone(w.last)
	w.ops = slices.DeleteFunc(w.ops, func(p *pair) bool {
		w.takeIn(p, next)
		return !slices.Contains(p.taken, false)
	})
	w.last = next
	for _, name := range names {
		w.wait("state as the model", func() error { return w.compare(name) })
	}
}

// agree reports where the answers of the store are not those of the model.
func (w *world) agree() error {
	for i, p := range w.ops {
		s, m := p.store.answers(), p.model.answers()
		for j := range s {
			if s[j].times != m[j].times || !p.repeats && !alike(s[j].err, m[j].err) {
				return fmt.Errorf("operation %d, answer %d: %v; the model says %v", i, j, s[j], m[j])
			}
		}
	}
	return nil
}

// takeIn notes the new grants of an operation, and the largest token of each name in next. They come
// in one step, so their tokens are in any order, but larger than those before.
func (w *world) takeIn(p *pair, next map[string]uint64) {
	s, m := p.store.answers(), p.model.answers()
	for i, r := range p.store.op.Acquire {
		if p.taken[i] || s[i].times == 0 {
			continue
		}
		p.taken[i] = true
		g := s[i].grant
		switch {
		case s[i].err != nil:
			continue
		case g.Resource != r.Resource || g.Weight != r.Weight:
			w.failf("the grant %+v does not answer the request %+v", g, r)
		}
		next[r.Name] = max(next[r.Name], w.mint(r.Name, g.Token, r.Tokens, g.Tokens))
		w.held = append(w.held, grant{client: p.client, store: g, model: m[i].grant})
	}
}

// wait waits until is returns nil.
func (w *world) wait(what string, is func() error) {
	for {
		err := is()
		if err == nil {
			return
		}
		if w.ctx.Err() != nil {
			w.failf("%s: not in time: %v", what, err)
			return
		}
		runtime.Gosched()
	}
}

func (w *world) failf(format string, args ...any) {
	w.Helper()
	w.Errorf("after %q: "+format, append([]any{w.log}, args...)...)
}

// kinds are what two stores have to agree on of an error.
var kinds = []error{
	backends.ErrBusy, backends.ErrMismatch, backends.ErrLost, context.Canceled, backends.ErrInvalid, backends.ErrClosed,
	backends.ErrUnavailable,
}

// alike reports whether two errors are of the same kind, or none is one.
func alike(a, b error) bool {
	for _, kind := range kinds {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

// place is what two stores have to agree on of a holder or a waiter.
type place struct {
	weight int64
	label  string
}

func placesOf(s backends.State) (holders, waiters []place) {
	for _, h := range s.Holders {
		holders = append(holders, place{h.Weight, h.Owner.Label})
	}
	for _, x := range s.Waiters {
		waiters = append(waiters, place{x.Weight, x.Owner.Label})
	}
	return holders, waiters
}

// compare reports where the state of a name is not that of the model. Holders that were granted in
// one step may be in another order.
func (w *world) compare(name string) error {
	s, err := w.stores[0].Inspect(w.ctx, name)
	m, err2 := w.models[0].Inspect(w.ctx, name)
	if err != nil || err2 != nil {
		return fmt.Errorf("Inspect(%q): %w", name, errors.Join(err, err2))
	}
	hs, ws := placesOf(s)
	hm, wm := placesOf(m)
	sort := func(a, b place) int { return int(a.weight-b.weight)*clients + int(a.label[0]) - int(b.label[0]) }
	slices.SortFunc(hs, sort)
	slices.SortFunc(hm, sort)
	if s.Resource.Kind != m.Resource.Kind || s.Resource.Capacity != m.Resource.Capacity ||
		!reflect.DeepEqual(hs, hm) || !reflect.DeepEqual(ws, wm) {
		return fmt.Errorf("the state of %q is %+v; the model has %+v", name, s, m)
	}
	return nil
}
