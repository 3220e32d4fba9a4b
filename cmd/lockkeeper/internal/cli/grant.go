package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// grant is what run holds while the command runs.
type grant struct {
	lease *manager.Lease // of the names that it has acquired itself; nil: none
	locks []lock         // all of them, in the order of the parts
}

// newGrant returns a grant of the parts, of which an enclosing run holds those in outer.
func newGrant(ps parts, lease *manager.Lease, outer map[string]lock) *grant {
	g := &grant{lease: lease}
	for _, l := range outer {
		g.locks = append(g.locks, l)
	}
	if lease != nil {
		for _, l := range lease.Leases() {
			g.locks = append(g.locks, lock{l.Name(), l.Token(), os.Getpid()})
		}
	}
	ps.sort(g.locks)
	return g
}

// lost is closed when the lease ends. An enclosing run ends all below it when its own lease ends.
func (g *grant) lost() <-chan struct{} {
	if g.lease == nil {
		return nil
	}
	return g.lease.Context().Done()
}

// because puts before a message why the lease was lost, if it was.
func (g *grant) because(text string) string {
	if g.lease != nil {
		if cause := context.Cause(g.lease.Context()); cause != nil {
			return fmt.Sprintf("%v: %s", cause, text)
		}
	}
	return text
}

// String names what is held, with the tokens.
func (g *grant) String() string {
	words := make([]string, len(g.locks))
	for i, l := range g.locks {
		words[i] = fmt.Sprintf("%s (token %d)", printable(l.name), l.token)
	}
	return strings.Join(words, ", ")
}

// release releases what run has acquired itself.
func (g *grant) release() error {
	if g.lease == nil {
		return nil
	}
	return g.lease.Release()
}

// take acquires the names as what they are in use as. What an enclosing run holds already is
// refused, since the command would wait for itself, or is left out (--reentrant).
func (r *runCmd) take(ctx context.Context, m *manager.Manager, ps parts) (*grant, error) {
	outer, err := r.outer(ctx, m, ps)
	if err != nil {
		return nil, err
	}
	missing := ps.without(outer)
	for len(missing) > 0 {
		var lease *manager.Lease
		if claim := missing.claim(m); r.tries() {
			lease, err = claim.TryAcquire(ctx, r.options()...)
		} else {
			lease, err = claim.Acquire(ctx, r.options()...)
		}
		if err == nil {
			return newGrant(ps, lease, outer), nil
		}
		if !missing.adapt(err) {
			return nil, err
		}
	}
	return newGrant(ps, nil, outer), nil
}

// outer returns those of the names that an enclosing run holds. The environment alone proves
// nothing: it outlives a run in what has been left in the background, and may be of another store.
// So a lock counts if the store says that it is held now, under this token by this process. Where
// the store does not answer, the acquire will say so.
//
// A run that ends right after this look releases a lock that this process then goes on without.
// That is so for whatever a command leaves in the background.
func (r *runCmd) outer(ctx context.Context, m *manager.Manager, ps parts) (map[string]lock, error) {
	found := make(map[string]lock)
	for _, l := range enclosing(os.Getenv(heldVariable)) {
		for _, p := range ps {
			if p.name != l.name {
				continue
			}
			state, err := m.Inspect(ctx, l.name)
			if err != nil {
				return nil, nil //nolint:nilerr // see above
			}
			if h, ok := l.holder(state); !ok {
				continue
			} else if err := r.mayEnter(p, state.Resource, h); err != nil {
				return nil, err
			}
			found[l.name] = l
		}
	}
	return found, nil
}

// mayEnter returns an error if the command may not run under what an enclosing run holds.
func (r *runCmd) mayEnter(p part, in backends.Resource, h backends.Holder) error {
	whole := p.as != backends.Semaphore && !p.shared
	switch {
	case !r.Reentrant:
		return usageError("%s is held for this command already, by an enclosing lockkeeper run (%s); "+
			"it would wait for itself: leave this run out, or give --reentrant", printable(p.name), who(h.Owner))
	case (p.as == backends.Semaphore) != (in.Kind == backends.Semaphore):
		return advised(&backends.MismatchError{Have: in, Want: backends.Resource{Name: p.name, Kind: p.as, Capacity: p.capacity}})
	case whole && h.Weight < in.Capacity, p.permits > h.Weight:
		return usageError("an enclosing lockkeeper run (%s) holds %s for this command already, but too little of it (%s): "+
			"let that run hold what this one needs", who(h.Owner), printable(p.name), permits(in, h.Weight))
	}
	return nil
}

// since is how long ago that was, for people.
func since(begin time.Time) time.Duration { return time.Since(begin).Round(time.Millisecond) }
