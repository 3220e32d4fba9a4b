package manager

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// The kinds of steps of a fuzzed sequence. A step is two bytes: what, and with what.
const (
	seqAcquire = iota
	seqTry
	seqCancel
	seqRelease
	seqBreak
	seqPass // Detach, and Adopt by the other manager
	seqSleep
	seqKinds
)

// FuzzSequences has callers of two managers of one store do what the bytes say, one step after the
// other: acquire, try, cancel, release, break, pass on, let time pass. After each step all answers are
// there. Whatever the order: no more is held than there is, the tokens of a name increase, nothing
// stays free while a request waits for it, and nothing is left in the end.
func FuzzSequences(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, seqAcquire, 0, seqAcquire, 1, seqAcquire, 0, seqRelease, 0, seqCancel, 0, seqRelease, 0})
	f.Add([]byte{1, seqAcquire, 4, seqAcquire, 7, seqAcquire, 4, seqTry, 5, seqRelease, 0, seqSleep, 0, seqRelease, 0})
	f.Add([]byte{2, seqAcquire, 0, seqRelease, 0, seqTry, 1, seqAcquire, 1, seqSleep, 9, seqRelease, 0, seqTry, 0})
	f.Add([]byte{0, seqAcquire, 8, seqAcquire, 11, seqAcquire, 10, seqBreak, 2, seqRelease, 1, seqRelease, 0})
	f.Add([]byte{0, seqAcquire, 0, seqAcquire, 12, seqAcquire, 13, seqAcquire, 15, seqPass, 0, seqRelease, 0, seqRelease, 0})
	f.Add([]byte{0, seqAcquire, 32, seqAcquire, 1, seqRelease, 0, seqSleep, 20, seqAcquire, 48, seqSleep, 60, seqAcquire, 1})
	f.Fuzz(func(t *testing.T, sequence []byte) {
		synctest.Test(t, func(t *testing.T) {
			w := newSequence(t, sequence)
			for n := 1; n+1 < len(sequence) && n < 120 && !t.Failed(); n += 2 {
				w.step(int(sequence[n])%seqKinds, int(sequence[n+1]))
				w.settle()
			}
			w.end()
		})
	})
}

// A sequence is two managers, and what their callers have and wait for.
type sequence struct {
	*testing.T
	store    *memory.Backend
	managers [2]*Manager
	waiting  []*seqWait
	held     []*Lease
	last     map[string]uint64    // the largest token by name
	kept     map[string]time.Time // by name: until when a minimum may keep it
}

type seqWait struct {
	*waiter
	parts []string
	least time.Duration
}

// newSequence takes the options of the managers from the first byte.
func newSequence(t *testing.T, sequenceOf []byte) *sequence {
	w := &sequence{T: t, store: memory.New(), last: make(map[string]uint64), kept: make(map[string]time.Time)}
	var opts []Option
	switch {
	case len(sequenceOf) == 0:
	case sequenceOf[0]%3 == 1:
		opts = append(opts, WithLocalHandoffs(0, 0))
	case sequenceOf[0]%3 == 2:
		opts = append(opts, WithIdleHold(time.Second))
	}
	w.managers = [2]*Manager{newManager(t, w.store, opts...), newManager(t, w.store.Peer(), opts...)}
	return w
}

// claim makes a claim of the bits of with, and says of which names.
func (w *sequence) claim(with int) (Claim, []string) {
	m := w.managers[with%2]
	switch with / 2 % 8 {
	case 0:
		return m.Lock("a"), []string{"a"}
	case 1:
		return m.Lock("b"), []string{"b"}
	case 2:
		return m.RWLock("rw").Read(), []string{"rw"}
	case 3:
		return m.RWLock("rw").Write(), []string{"rw"}
	case 4:
		return m.Semaphore("sem", 3).Permits(1), []string{"sem"}
	case 5:
		return m.Semaphore("sem", 3).Permits(3), []string{"sem"}
	case 6:
		return m.All(m.Lock("a"), m.Lock("b")), []string{"a", "b"}
	default:
		return m.All(m.Lock("b"), m.RWLock("rw").Write(), m.Semaphore("sem", 3).Permits(2)), []string{"b", "rw", "sem"}
	}
}

func (w *sequence) step(what, with int) {
	switch what {
	case seqAcquire, seqTry:
		w.acquire(what == seqTry, with)
	case seqCancel:
		if n := len(w.waiting); n > 0 {
			w.waiting[with%n].cancel(nil)
		}
	case seqRelease:
		if n := len(w.held); n > 0 {
			w.release(with % n)
		}
	case seqBreak:
		if err := w.managers[0].Break(w.Context(), []string{"a", "b", "rw", "sem"}[with%4]); err != nil {
			w.Errorf("break: %v", err)
		}
	case seqPass:
		if n := len(w.held); n > 0 {
			w.pass(with%n, w.managers[with/8%2])
		}
	case seqSleep:
		time.Sleep(time.Duration(with) * 50 * time.Millisecond)
	}
}

func (w *sequence) acquire(try bool, with int) {
	c, parts := w.claim(with)
	wait := &seqWait{parts: parts}
	var opts []AcquireOption
	switch with / 16 % 4 {
	case 2:
		wait.least = time.Second
		opts = append(opts, HoldAtLeast(wait.least))
	case 3:
		opts = append(opts, HoldAtMost(2*time.Second))
	}
	if !try {
		wait.waiter = start(c, opts...)
		w.waiting = append(w.waiting, wait)
		return
	}
	wait.waiter = &waiter{done: make(chan struct{})}
	close(wait.done)
	wait.lease, wait.err = c.TryAcquire(w.Context(), opts...)
	w.waiting = append(w.waiting, wait)
}

func (w *sequence) release(i int) {
	l := w.held[i]
	w.held = append(w.held[:i:i], w.held[i+1:]...)
	if err := l.Release(); err != nil && !errors.Is(err, ErrLost) {
		w.Errorf("release %q: %v", l.Name(), err)
	}
}

// pass detaches a lease, and has a manager adopt it.
func (w *sequence) pass(i int, to *Manager) {
	l := w.held[i]
	ticket, err := l.Detach(w.Context())
	if err != nil {
		if len(l.Leases()) == 1 && !errors.Is(err, ErrLost) {
			w.Errorf("detach %q: %v", l.Name(), err)
		}
		return
	}
	adopted, err := to.Adopt(w.Context(), ticket)
	switch {
	case err != nil:
		w.Errorf("adopt %q: %v", l.Name(), err)
		w.held = append(w.held[:i:i], w.held[i+1:]...)
	case adopted.Token() != l.Token():
		w.Errorf("%q: adopted with token %d, detached with %d", l.Name(), adopted.Token(), l.Token())
		fallthrough
	default:
		w.held[i] = adopted
	}
}

// settle takes in the answers, and checks what holds between two steps.
func (w *sequence) settle() {
	synctest.Wait()
	before := make(map[string]uint64)
	for name, token := range w.last {
		before[name] = token
	}
	still := w.waiting[:0:0]
	for _, wait := range w.waiting {
		switch {
		case wait.waiter.waiting():
			still = append(still, wait)
		case wait.err == nil:
			w.granted(wait, before)
		case !errors.Is(wait.err, context.Canceled) && !errors.Is(wait.err, ErrBusy):
			w.Errorf("a request for %q fails: %v", wait.parts, wait.err)
		}
	}
	w.waiting = still
	out, there := make(map[string]int64), make(map[string]bool)
	for _, l := range w.held {
		for _, p := range l.Leases() {
			there[p.Name()] = true // one that is lost still stops
			if r := p.core().req; p.Valid() {
				if out[p.Name()] += r.weight; out[p.Name()] > r.cap {
					w.Errorf("%d of %d permits of %q are held", out[p.Name()], r.cap, p.Name())
				}
			}
		}
	}
	w.progress(there)
}

func (w *sequence) granted(wait *seqWait, before map[string]uint64) {
	w.held = append(w.held, wait.lease)
	for _, p := range wait.lease.Leases() {
		// A share may have been granted long before the other parts of its All.
		name, token, shared := p.Name(), p.Token(), p.core().req.weight < p.core().req.cap
		if token <= before[name] && !shared {
			w.Errorf("token %d of %q after %d", token, name, before[name])
		}
		w.last[name] = max(w.last[name], token)
		if wait.least > 0 {
			w.kept[p.Name()] = time.Now().Add(wait.least)
		}
	}
}

// progress finds requests for one name that nobody holds: an All may hold one name and wait for another.
func (w *sequence) progress(there map[string]bool) {
	for _, wait := range w.waiting {
		if len(wait.parts) > 1 {
			return
		}
	}
	for _, wait := range w.waiting {
		if name := wait.parts[0]; !there[name] && time.Now().After(w.kept[name]) {
			w.Errorf("a request waits for %q, and nobody holds it", name)
		}
	}
}

// end ends all that is left, and looks at the store.
func (w *sequence) end() {
	for len(w.waiting)+len(w.held) > 0 && !w.Failed() {
		for _, wait := range w.waiting {
			wait.cancel(nil)
		}
		for len(w.held) > 0 {
			w.release(0)
		}
		w.settle()
	}
	for _, wait := range w.waiting {
		wait.cancel(nil)
	}
	time.Sleep(time.Minute) // what is kept for a time, or idle
	synctest.Wait()
	for s, err := range w.store.List(w.Context()) {
		w.Errorf("the store still knows %+v, %v", s, err)
	}
	for _, m := range w.managers {
		if s := m.Stats(); s.Holding+s.Waiting > 0 {
			w.Errorf("%d hold, %d wait", s.Holding, s.Waiting)
		}
	}
}
