package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/manager"
)

// part is a name that run holds, and how.
//
// A command that wants to be alone takes a name as a lock or as the writer of a reader-writer lock,
// whichever the name is in use as: no flag means lock, and -s and -x mean reader-writer lock, while
// nobody uses the name. So -s, -x and neither exclude each other as in flock(1), and a program that
// uses the name as a lock takes turns with all three. While a name is in use as a lock, -s is alone
// too: it shares the name with nobody, which is more than it asked for and harms nobody.
//
// Rejected: no flag always means the writer of a reader-writer lock. A program that uses the name as
// a lock would be refused while the command runs.
type part struct {
	name              string
	shared            bool          // as a reader
	as                backends.Kind // in use as, as far as is known
	capacity, permits int64         // of a semaphore
}

// claim returns what the part asks for.
func (p part) claim(m *manager.Manager) manager.Claim {
	switch {
	case p.as == backends.Semaphore:
		return m.Semaphore(p.name, p.capacity).Permits(p.permits)
	case p.as == backends.Mutex:
		return m.Lock(p.name)
	case p.shared:
		return m.RWLock(p.name).Read()
	default:
		return m.RWLock(p.name).Write()
	}
}

// parts are the names that run holds, the first one first.
type parts []part

// claim returns a claim to all.
func (ps parts) claim(m *manager.Manager) manager.Claim {
	if len(ps) == 1 {
		return ps[0].claim(m)
	}
	claims := make([]manager.Claim, len(ps))
	for i, p := range ps {
		claims[i] = p.claim(m)
	}
	return m.All(claims...)
}

// without returns the parts whose names no enclosing run holds.
func (ps parts) without(outer map[string]lock) parts {
	return slices.DeleteFunc(slices.Clone(ps), func(p part) bool {
		_, found := outer[p.name]
		return found
	})
}

// sort puts locks in the order of the parts.
func (ps parts) sort(locks []lock) {
	slices.SortFunc(locks, func(a, b lock) int { return cmp.Compare(ps.index(a.name), ps.index(b.name)) })
}

func (ps parts) index(name string) int {
	return slices.IndexFunc(ps, func(p part) bool { return p.name == name })
}

// adapt takes a name as what it is in use as, and reports whether a further acquire may succeed.
// Each time that it does, the name has been free and in use again since the last look, so a caller
// that tries again and again waits for nobody who does not go on.
func (ps parts) adapt(err error) bool {
	var m *backends.MismatchError
	if !errors.As(err, &m) || m.Have.Kind != backends.Mutex && m.Have.Kind != backends.ReadWrite {
		return false
	}
	for i := range ps {
		if p := &ps[i]; p.name == m.Want.Name && p.as != backends.Semaphore && p.as != m.Have.Kind {
			p.as = m.Have.Kind
			return true
		}
	}
	return false
}

// advised adds to a mismatch what the user can do.
func advised(err error) error {
	var m *backends.MismatchError
	switch {
	case !errors.As(err, &m):
		return err
	case m.Have.Kind == backends.Semaphore:
		return fmt.Errorf("%w: give --capacity %d, or take another name", err, m.Have.Capacity)
	default:
		return fmt.Errorf("%w: leave out --capacity, or take another name", err)
	}
}
