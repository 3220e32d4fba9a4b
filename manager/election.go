package manager

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// An Election is a name under which one of many candidates leads at a time, over all processes. Make
// it with [Manager.Election]; it may be used by any goroutine, and holds nothing while nothing calls
// [Election.Lead]. It is the lock of that name: [Manager.Lock] and Lead exclude each other.
type Election struct {
	m    *Manager
	name string
	term atomic.Pointer[term] // of the Lead whose function runs; nil if none does
}

// A term is one leadership, from the grant until the function has returned.
type term struct {
	lease  *Lease
	resign context.CancelCauseFunc
	ending atomic.Uint32 // what came first: Resign, or the return of the function
}

const (
	resigned uint32 = iota + 1
	returned
)

// ErrResigned is the cause of the context of a leader that has resigned.
var ErrResigned = errors.New("resigned from leadership")

// ErrNoLeader says that nobody leads.
var ErrNoLeader = errors.New("no leader")

// Election returns the election called name. IsLeader and Resign concern the Lead calls of this very
// value, so keep it.
func (m *Manager) Election(name string) *Election { return &Election{m: m, name: name} }

// IsLeader reports whether a function of Lead runs as the leader: under a lease that is valid by the
// clocks, and that has not been given up by Resign. It asks no store.
func (e *Election) IsLeader() bool {
	t := e.current()
	return t != nil && t.ending.Load() == 0 && t.lease.Valid()
}

// Resign gives up the leadership, and reports whether the caller's Lead led. The context of its
// function ends, with the cause [ErrResigned]. Once the function has returned, the lock is released
// and Lead stands for leader again, behind all candidates that wait. To stop for good, cancel the
// context of Lead. Resign does not wait: the function may call it.
func (e *Election) Resign() bool {
	t := e.current()
	// The function may return at the same time. If that comes first, Lead returns its result, and
	// there is nothing to give up.
	if t == nil || !t.ending.CompareAndSwap(0, resigned) {
		return false
	}
	t.resign(ErrResigned)
	return true
}

func (e *Election) current() *term {
	if e == nil {
		return nil
	}
	return e.term.Load()
}

// A Leader is a candidate that leads, as the store knows it.
type Leader struct {
	Label string // of its manager: see WithLabel
	Host  string
	PID   int
	Since time.Time // by the store's wall clock
	Token uint64    // of its term
}

// Leader returns the leader of the moment, of any process. The error wraps ErrNoLeader if nobody
// leads, or says why the store could not tell. The answer may be out of date at once.
func (e *Election) Leader(ctx context.Context) (Leader, error) {
	if err := e.usable(ctx); err != nil {
		return Leader{}, err
	}
	s, err := e.m.Inspect(ctx, e.name)
	switch {
	case err != nil:
		return Leader{}, err
	case len(s.Holders) == 0:
		return Leader{}, opErr("leader", e.name, ErrNoLeader)
	case s.Resource.Kind != backends.Mutex:
		want := backends.Resource{Name: e.name, Kind: backends.Mutex, Capacity: 1}
		return Leader{}, opErr("leader", e.name, &MismatchError{Have: s.Resource, Want: want})
	}
	h := s.Holders[0]
	if h.Kept > 0 || h.Detached { // the last one, which has stopped: see HoldAtLeast and Detach
		return Leader{}, opErr("leader", e.name, ErrNoLeader)
	}
	return Leader{Label: h.Owner.Label, Host: h.Owner.Host, PID: h.Owner.PID, Since: h.Since, Token: h.Token}, nil
}

// watchPart: Changes looks at the store ten times in a TTL, once a second by default. That is how
// often the heartbeat of a waiter looks.
const watchPart = 10

// Changes yields the leader of the moment, and then each new one, of any process: each once, in the
// order of their tokens. Nothing is yielded while nobody leads or the store is out of reach. The
// sequence ends with ctx, or with an error that another look would not mend, such as ErrClosed,
// ErrPermission or ErrInvalidName.
//
// Changes polls, since a store tells only waiters of a change, and a waiter would be elected. It
// calls [Manager.Inspect] ten times in a TTL ([WithTTL]), and may miss a leader whose whole term fits
// between two calls.
func (e *Election) Changes(ctx context.Context) iter.Seq2[Leader, error] {
	return func(yield func(Leader, error) bool) {
		last := uint64(0)
		for {
			l, err := e.Leader(ctx)
			switch {
			case ctx != nil && ctx.Err() != nil:
				return
			case err != nil && !errors.Is(err, ErrNoLeader) && !passes(err):
				yield(Leader{}, err)
				return
			case err == nil && l.Token > last:
				last = l.Token
				if !yield(l, nil) {
					return
				}
			}
			e.m.pause(ctx, e.m.cfg.ttl/watchPart)
		}
	}
}

// passes reports whether err says that the store is out of reach, which may change.
func passes(err error) bool {
	return errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrPermission)
}

// usable returns an error for an election that no manager has made, and for a nil context.
func (e *Election) usable(ctx context.Context) error {
	if e == nil || e.m == nil {
		return &InvalidError{Field: "election", Value: "zero", Want: "one made by a Manager"}
	}
	return e.m.usable(ctx)
}
