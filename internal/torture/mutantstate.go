//go:build linux

package torture

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// byClient releases all that its client holds of a name, as a store does that knows the client only.
type byClient struct {
	mu   sync.Mutex
	live map[string][]backends.Grant
}

func (b *byClient) install(h *intercept.Backend) {
	b.live = make(map[string][]backends.Grant)
	h.OnGranted = func(_ backends.Request, g backends.Grant, err error) (backends.Grant, error) {
		if err == nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.live[g.Resource.Name] = append(b.live[g.Resource.Name], g)
		}
		return g, err
	}
	h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
		for _, g := range op.Release {
			b.mu.Lock()
			all := slices.DeleteFunc(b.live[g.Resource.Name], func(other backends.Grant) bool { return other.ID == g.ID })
			delete(b.live, g.Resource.Name)
			b.mu.Unlock()
			if len(all) == 0 {
				continue
			}
			too := &backends.Op{Release: all, Released: func(int, error) {}}
			if work := start(too); work != nil {
				time.AfterFunc(0, func() { work(context.Background()) })
			}
		}
		return start(op)
	}
}

// oneByOne requests the names of an operation one after the other, in any order.
type oneByOne struct {
	mu      sync.Mutex
	current map[*backends.Op]*backends.Op
}

func (o *oneByOne) install(h *intercept.Backend) {
	o.current = make(map[*backends.Op]*backends.Op)
	h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
		if len(op.Acquire) < 2 || !op.Wait {
			return start(op)
		}
		order := rand.Perm(len(op.Acquire))
		var next func(n int, release []backends.Grant)
		next = func(n int, release []backends.Grant) {
			if n == len(order) {
				return
			}
			i := order[n]
			part := &backends.Op{
				Release: release, Released: op.Released, Wait: true, Acquire: op.Acquire[i : i+1],
				Granted: func(_ int, g backends.Grant, err error) {
					op.Granted(i, g, err)
					if err == nil {
						next(n+1, nil)
						return
					}
					for _, j := range order[n+1:] {
						op.Granted(j, backends.Grant{}, err)
					}
				},
			}
			o.mu.Lock()
			o.current[op] = part
			o.mu.Unlock()
			if work := start(part); work != nil {
				time.AfterFunc(0, func() { work(context.Background()) })
			}
		}
		next(0, op.Release)
		return nil
	}
	h.OnCancel = func(op *backends.Op, cancel intercept.Start) backends.Work {
		o.mu.Lock()
		part := o.current[op]
		o.mu.Unlock()
		if part == nil {
			part = op
		}
		return cancel(part)
	}
}

// handsOn gives the grant that a client releases to the client's next request for the name, though the
// time to live of the grant is over: it forgets to look.
type handsOn struct {
	mu   sync.Mutex
	over map[string]backends.Grant // by name
}

func (o *handsOn) install(h *intercept.Backend) {
	o.over = make(map[string]backends.Grant)
	h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
		for _, g := range op.Release {
			if g.Resource.Kind == backends.Mutex && !g.ValidUntil.IsZero() && g.ValidUntil.Before(time.Now()) {
				o.mu.Lock()
				o.over[g.Resource.Name] = g
				o.mu.Unlock()
			}
		}
		if len(op.Acquire) != 1 {
			return start(op)
		}
		r := op.Acquire[0]
		o.mu.Lock()
		g, ok := o.over[r.Name]
		delete(o.over, r.Name)
		o.mu.Unlock()
		if !ok {
			return start(op)
		}
		g.Token += uint64(g.Tokens)
		g.Tokens, g.ValidUntil = r.Tokens, backends.ValidUntil(time.Now(), r.TTL)
		op.Acquire = nil
		work := start(op)
		op.Granted(0, g, nil)
		return work
	}
}

// forgetful gives a few of the grants that were waited for back, and tells their waiters nothing.
type forgetful struct {
	mu        sync.Mutex
	forgotten map[*backends.Op]bool
	cancelled map[*backends.Op]bool // these must be answered
}

func (o *forgetful) install(h *intercept.Backend) {
	o.forgotten, o.cancelled = make(map[*backends.Op]bool), make(map[*backends.Op]bool)
	h.OnStart = func(op *backends.Op, start intercept.Start) backends.Work {
		if len(op.Acquire) != 1 {
			return start(op)
		}
		granted := op.Granted
		op.Granted = func(i int, g backends.Grant, err error) {
			if err != nil || !g.Waited || rand.IntN(20) > 0 || !o.forget(op) {
				granted(i, g, err)
				return
			}
			back := &backends.Op{Release: []backends.Grant{g}, Released: func(int, error) {}}
			if work := start(back); work != nil {
				time.AfterFunc(0, func() { work(context.Background()) })
			}
		}
		return start(op)
	}
	h.OnCancel = func(op *backends.Op, cancel intercept.Start) backends.Work {
		o.mu.Lock()
		o.cancelled[op] = true
		forgotten := o.forgotten[op]
		o.mu.Unlock()
		if forgotten {
			op.Fail(context.Canceled)
			return nil
		}
		return cancel(op)
	}
}

// forget reports whether the waiter may be forgotten: it has not cancelled.
func (o *forgetful) forget(op *backends.Op) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgotten[op] = !o.cancelled[op]
	return o.forgotten[op]
}
