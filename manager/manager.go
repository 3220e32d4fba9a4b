package manager

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/internal/bubbles"
	"github.com/lockkeeper/lockkeeper/internal/nils"
)

// A Manager hands out leases on named resources, from one backend. Make it with New and end it with
// Close. All methods are safe for concurrent use.
//
// In tests, a Manager over the memory backend that was made outside all bubbles of testing/synctest
// may be used in one bubble after another. Do not use it in a bubble and outside within a fifth of
// a second, and hold no lease when a bubble ends. A Manager made in a bubble belongs to that
// bubble: elsewhere its methods fail with an *InvalidError. Over any other store, use no Manager in a
// bubble: its goroutines wait for files or connections, and meanwhile the clock of a bubble stands
// still.
type Manager struct {
	cfg   config
	store backends.Backend
	caps  backends.Capabilities
	owner backends.Owner
	epoch time.Time // instants count from here

	bubbled bool   // made in a synctest bubble, to which it belongs
	bubble  uint64 // its number

	life    context.Context // of requests to the store; ended by Close
	endLife context.CancelFunc

	observer   *observer // nil if nobody watches
	dir        directory
	signals    sync.Pool // of *signal; not shared: they belong to the manager's bubble
	operations sync.Pool // of *operation
	actor      *managerActor
	renewer    *renewer
	waits      *waits
}

// New returns a manager over the backend, which it owns from then on: Close closes it. On an error
// the backend is untouched and still the caller's. The error is an *InvalidError; a nil backend,
// typed or not, is such an error too.
func New(b backends.Backend, opts ...Option) (*Manager, error) {
	if nils.Is(b) {
		return nil, &InvalidError{Field: "backend", Value: nil, Want: "not nil"}
	}
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	m := &Manager{cfg: cfg, store: b, caps: b.Capabilities(), owner: cfg.owner(), epoch: time.Now(), bubbled: bubbles.MadeInside()}
	m.bubble = bubbles.ID()
	m.life, m.endLife = context.WithCancel(context.Background())
	m.life.Done() // makes the channel here, not in a bubble that uses the manager later
	m.dir.seed, m.dir.history.key = maphash.MakeSeed(), cfg.historyKey
	m.signals.New = func() any { return newSignal() }
	m.operations.New = makeOperation
	if cfg.observer.on {
		m.observer = &m.cfg.observer
	}
	m.actor = newManagerActor(m)
	m.renewer = newRenewer(m)
	m.waits = newWaits()
	return m, nil
}

// Inspect returns who holds the name and who waits for it, in every process that uses the store. Of
// the waiters in this process it shows the one that stands in the store's queue for all. The answer
// may be out of date at once.
func (m *Manager) Inspect(ctx context.Context, name string) (backends.State, error) {
	if err := m.ready(ctx, name); err != nil {
		return backends.State{}, opErr("inspect", name, err)
	}
	s, err := m.store.Inspect(ctx, name)
	return s, opErr("inspect", name, err)
}

// List yields every resource that any process uses, in no order. An error ends it.
func (m *Manager) List(ctx context.Context) iter.Seq2[backends.State, error] {
	if err := m.ready(ctx, "-"); err != nil {
		return func(yield func(backends.State, error) bool) { yield(backends.State{}, opErr("list", "all", err)) }
	}
	return m.store.List(ctx)
}

// Break ends every lease on the name, of all processes. Its holders learn of it soon, or at their
// next renewal: until then they believe that they hold, and only tokens protect. It is meant for
// repair by people.
func (m *Manager) Break(ctx context.Context, name string) error {
	if err := m.ready(ctx, name); err != nil {
		return opErr("break", name, err)
	}
	return opErr("break", name, m.store.Break(ctx, name))
}

// made reports whether m was made by New.
func (m *Manager) made() bool { return m != nil && m.store != nil }

// usable returns an error for a manager that New has not made, or has made in another bubble, and
// for a nil context.
func (m *Manager) usable(ctx context.Context) error {
	switch {
	case !m.made():
		return &InvalidError{Field: "manager", Value: "zero", Want: "one made by New"}
	case ctx == nil:
		return &InvalidError{Field: "context", Value: nil, Want: "not nil"}
	case m.bubbled && m.bubble != bubbles.ID(): // its channels and timers have ended with the bubble
		return &InvalidError{Field: "manager", Value: "of another bubble of testing/synctest", Want: "one made here, or outside all bubbles"}
	}
	return nil
}

// ready is usable that also returns an error for a closed manager and for a bad name.
func (m *Manager) ready(ctx context.Context, name string) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	if m.life.Err() != nil {
		return ErrClosed
	}
	return backends.CheckName(name)
}

func (m *Manager) now() instant              { return instant(time.Since(m.epoch)) }
func (m *Manager) at(t time.Time) instant    { return instant(t.Sub(m.epoch)) }
func (m *Manager) time(at instant) time.Time { return m.epoch.Add(time.Duration(at)) }
func (m *Manager) log(msg string, a ...any)  { m.actor.log(msg, a) }

// away reports whether the caller is in a synctest bubble other than the manager's. Channels and
// timers made there must not be used after the bubble.
func (m *Manager) away() bool { return !m.bubbled && bubbles.Inside() }

var (
	errRetired  = errors.New("keeper retired")
	errNoAnswer = &backends.OpError{Op: "wait for the store", Err: ErrUnavailable}
	errTooLate  = errors.New("granted too late to be of use")
)

// quote keeps a long name from filling a log.
func quote(name string) string {
	const most = 64
	if len(name) > most {
		return strconv.Quote(name[:most]) + "…"
	}
	return strconv.Quote(name)
}
