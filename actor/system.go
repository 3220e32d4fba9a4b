package actor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
)

// A Scope is what an actor is spawned under and lives no longer than: a [System], or the
// [Self] of a parent actor.
type Scope interface {
	// owner gives the system, and the parent or nil.
	owner() (*System, *core) // nil, nil: it is nil, or was never one
}

// A System is a lifetime for actors, not a singleton: make as many as you have lifetimes.
// It starts no goroutine of its own. All methods are safe for concurrent use. The zero
// System is one without options; it must not be copied after first use.
type System struct {
	logger *slog.Logger // nil: slog.Default()
	hooks  Hooks

	// mu guards the tree of children and watchers. No actor owns it, for it is written by every
	// Spawn, also before there is any actor; it is held for a few pointer writes, never while
	// foreign code runs, and not for messages.
	mu     sync.Mutex
	root   family
	closed bool
	fault  error // the first failure that was escalated to the system
}

// NewSystem returns a system without actors. A nil option is none.
func NewSystem(opts ...Option) *System {
	s := &System{}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	return s
}

// An Option configures a [System].
type Option func(*System)

// WithLogger makes the system log to l: failures of actors as errors, restarts as
// warnings. The default is slog.Default(); slog.New(slog.DiscardHandler) silences it. The
// handler runs on the goroutine of the actor, so it must not panic. It panics on nil.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		panic("actor: WithLogger(nil)")
	}
	return func(s *System) { s.logger = l }
}

// Hooks are called as things happen to actors; nil ones are not called. What happened goes on
// when the hook has returned, so hooks must be quick. A panic or runtime.Goexit in a hook
// is logged and goes no further.
type Hooks struct {
	Started    func(Info)             // an actor's start function has succeeded
	Stopped    func(Info, error)      // an actor has ended: see [Ref.Err]
	Restarted  func(Info, error)      // an actor starts anew after the failure given
	DeadLetter func(Info, any, error) // a message was accepted and will not be handled, and why
}

// WithHooks makes the system call h.
func WithHooks(h Hooks) Option { return func(s *System) { s.hooks = h } }

// Info describes a live actor.
type Info struct {
	Name string // names from the top-level actor down, joined by "/"
	Stats
}

func (s *System) owner() (*System, *core) { return s, nil }

// Actors iterates over a snapshot of the live actors: each parent before its children,
// siblings from oldest to newest.
func (s *System) Actors() iter.Seq[Info] {
	return func(yield func(Info) bool) {
		for _, c := range s.snapshot() {
			if !yield(c.info()) {
				return
			}
		}
	}
}

// Shutdown ends every actor and waits until no goroutine is left. No actor can be spawned
// under the system from now on. The top-level actors are drained one after the other,
// newest first: each handles what its mailbox holds, waits for its tasks, drains its
// children, newest first, and ends.
//
// It returns nil, or the first failure that was escalated to the system. If ctx ends first,
// every remaining actor is stopped as by [Ref.Stop], which cancels the context of
// blocked handlers and tasks, and Shutdown returns at once with an error that wraps the
// context's and names the actors still there; they end when their handlers return, and
// a further Shutdown waits for that. An actor must not wait for its own system's Shutdown.
func (s *System) Shutdown(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	for _, c := range s.close() {
		c.drain()
		select { // a tie does not matter: done is final, and an actor that lost keeps ending by itself
		case <-c.done:
		case <-ctx.Done():
			return s.abandon(ctx)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// close refuses further actors and lists the top-level ones, newest first.
func (s *System) close() []*core {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.root.newestFirst()
}

// abandon stops whatever is left and says what it was.
func (s *System) abandon(ctx context.Context) error {
	left := s.snapshot()
	names := make([]string, 0, len(left))
	for _, c := range left {
		c.stop()
		names = append(names, c.name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(
		fmt.Errorf("actor: shutdown: %w; still running: %s", ctxError(ctx), strings.Join(names, ", ")),
		s.fault)
}

// escalated ends the system because a top-level actor's failure was escalated to it.
func (s *System) escalated(err error) {
	s.mu.Lock()
	if s.fault == nil {
		s.fault = err
	}
	s.mu.Unlock()
	for _, c := range s.close() {
		c.stop()
	}
}

// snapshot lists all live actors, parents before children, oldest first.
func (s *System) snapshot() []*core {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.root.appendAll(nil)
}

// join makes c a live child of parent (nil: top-level), unless that is ending.
func (s *System) join(parent, c *core) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	family, closed := &s.root, s.closed
	if parent != nil {
		family, closed = &parent.kinship().children, parent.barren
	}
	if closed {
		return fmt.Errorf("actor: spawn %s: %w", c.name, ErrStopped)
	}
	family.add(c)
	return nil
}

// leave takes c out of the tree, closes Done, and returns its watchers. From now on a new watch is
// told at once. It is one step, so that a caller that does not find c in the tree finds it done.
func (s *System) leave(parent, c *core) (watchers map[*watch]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if parent != nil {
		parent.kin.children.remove(c)
	} else {
		s.root.remove(c)
	}
	if c.kin != nil {
		watchers, c.kin.watchers = c.kin.watchers, nil
	}
	close(c.done)
	c.left.Store(true)
	return watchers
}

// hook runs a hook and waits for it. It has a goroutine of its own, for one that calls
// runtime.Goexit (as t.FailNow does) would end whatever it ran on, in the middle of a life.
func (s *System) hook(actor, kind string, call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wearLabel(actor)
		returned := false
		defer func() {
			if !returned {
				s.log().Error("actor: panic in a hook", "actor", actor, "hook", kind, "panic", newPanicError(recover()).Value)
			}
		}()
		call()
		returned = true
	}()
	<-done
}

func (s *System) log() *slog.Logger {
	if s.logger == nil {
		return slog.Default()
	}
	return s.logger
}

// A family is a list of siblings, oldest first, guarded by the system's mu.
type family struct {
	oldest, newest *core
}

// A kin is an actor's children and watchers. It is made for the first of them, and guarded by the
// system's mu.
type kin struct {
	children family
	watchers map[*watch]struct{}
}

// kinship gives the kin, of which there is one from now on.
func (c *core) kinship() *kin {
	if c.kin == nil {
		c.kin = &kin{}
	}
	return c.kin
}

func (f *family) add(c *core) {
	c.older = f.newest
	if f.newest != nil {
		f.newest.younger = c
	} else {
		f.oldest = c
	}
	f.newest = c
}

func (f *family) remove(c *core) {
	if c.older != nil {
		c.older.younger = c.younger
	} else if f.oldest == c {
		f.oldest = c.younger
	}
	if c.younger != nil {
		c.younger.older = c.older
	} else if f.newest == c {
		f.newest = c.older
	}
	c.older, c.younger = nil, nil
}

func (f *family) newestFirst() []*core {
	var all []*core
	for c := f.newest; c != nil; c = c.older {
		all = append(all, c)
	}
	return all
}

func (f *family) appendAll(all []*core) []*core {
	for c := f.oldest; c != nil; c = c.younger {
		all = append(all, c)
		if c.kin != nil {
			all = c.kin.children.appendAll(all)
		}
	}
	return all
}
