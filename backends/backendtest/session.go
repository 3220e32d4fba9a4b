package backendtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// long is the time to live of grants that are not meant to expire.
const long = 5 * time.Minute

// session is one run of one clause. Its methods end the clause when the store does not do what they ask for.
type session struct {
	testing.TB
	env  Env
	ctx  context.Context  // ends when patience does
	b    backends.Backend // the first client
	caps backends.Capabilities
	name string // a name for the clause to use

	spawned sync.WaitGroup // the goroutines of the clause, which ends after them
}

func newSession(t testing.TB, env Env) *session {
	ctx, cancel := context.WithTimeout(context.Background(), env.Patience)
	s := &session{TB: t, env: env, ctx: ctx, name: "clause/" + t.Name()}
	t.Cleanup(func() { cancel(); s.spawned.Wait() })
	s.b = s.open()
	s.caps = s.b.Capabilities()
	return s
}

// open returns a further client, which is closed at the end of the clause.
func (s *session) open() backends.Backend {
	s.Helper()
	b := s.env.Open(s.TB)
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.env.Patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
	return b
}

func (s *session) request(kind backends.Kind, capacity, weight int64) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: s.name, Kind: kind, Capacity: capacity},
		Weight:   weight,
		Tokens:   1,
		TTL:      long,
		Owner:    backends.Owner{Host: "host", PID: 1, Label: "backendtest"},
	}
}

func (s *session) mutex() backends.Request { return s.request(backends.Mutex, 1, 1) }
func (s *session) reader() backends.Request {
	return s.request(backends.ReadWrite, backends.ReadWriteCapacity, 1)
}
func (s *session) writer() backends.Request {
	return s.request(backends.ReadWrite, backends.ReadWriteCapacity, backends.ReadWriteCapacity)
}
func (s *session) permits(n, of int64) backends.Request { return s.request(backends.Semaphore, of, n) }

// acquire expects a grant that is complete.
func (s *session) acquire(b backends.Backend, r backends.Request) backends.Grant {
	s.Helper()
	g, err := backends.Acquire(s.ctx, b, r)
	if err != nil {
		s.Fatalf("Acquire %s: %v", show(r), err)
	}
	s.complete(g, r)
	return g
}

// try expects that TryAcquire succeeds.
func (s *session) try(b backends.Backend, r backends.Request) backends.Grant {
	s.Helper()
	g, err := backends.TryAcquire(s.ctx, b, r)
	if err != nil {
		s.Fatalf("TryAcquire %s: %v", show(r), err)
	}
	s.complete(g, r)
	return g
}

func (s *session) complete(g backends.Grant, r backends.Request) {
	s.Helper()
	if g.Resource != r.Resource || g.Weight != r.Weight || g.Tokens != r.Tokens || g.Token == 0 ||
		g.AtLeast != r.AtLeast || g.ID == (backends.GrantID{}) {
		s.Fatalf("the grant %+v does not answer the request %s", g, show(r))
	}
	if g.ValidUntil.IsZero() == s.caps.Expiry {
		s.Fatalf("ValidUntil = %v; grants expire here: %v", g.ValidUntil, s.caps.Expiry)
	}
}

// busy expects that TryAcquire refuses.
func (s *session) busy(b backends.Backend, r backends.Request) {
	s.Helper()
	if g, err := backends.TryAcquire(s.ctx, b, r); !errors.Is(err, backends.ErrBusy) {
		s.Fatalf("TryAcquire %s = %+v, %v; want ErrBusy", show(r), g, err)
	}
}

// refused expects that TryAcquire and Acquire fail with want, at once.
func (s *session) refused(b backends.Backend, r backends.Request, want error) {
	s.Helper()
	if g, err := backends.TryAcquire(s.ctx, b, r); !errors.Is(err, want) {
		s.Errorf("TryAcquire %s = %+v, %v; want %v", show(r), g, err, want)
	}
	if g, err := backends.Acquire(s.ctx, b, r); !errors.Is(err, want) {
		s.Errorf("Acquire %s = %+v, %v; want %v", show(r), g, err, want)
	}
}

// release expects that the grant was held until now.
func (s *session) release(b backends.Backend, g backends.Grant) {
	s.Helper()
	if err := backends.Release(s.ctx, b, g); err != nil {
		s.Fatalf("Release of a grant that is held: %v", err)
	}
}

// renew renews one grant.
func (s *session) renew(b backends.Backend, rn backends.Renewal) backends.Renewed {
	s.Helper()
	answers := b.Renew(s.ctx, []backends.Renewal{rn})
	if len(answers) != 1 {
		s.Fatalf("Renew of one grant gave %d answers", len(answers))
	}
	return answers[0]
}

// waiting is an Acquire that runs on a goroutine of its own.
type waiting struct {
	s      *session
	cancel context.CancelFunc
	ended  chan struct{}
	grant  backends.Grant // after ended
	err    error          // after ended
}

// start calls Acquire in the background. It is cancelled at the end of the clause.
func (s *session) start(b backends.Backend, r backends.Request) *waiting {
	return s.startWith(s.ctx, b, r)
}

// startWith is start with a context that may end earlier.
func (s *session) startWith(ctx context.Context, b backends.Backend, r backends.Request) *waiting {
	ctx, cancel := context.WithCancel(ctx)
	w := &waiting{s: s, cancel: cancel, ended: make(chan struct{})}
	s.spawned.Go(func() {
		defer close(w.ended)
		w.grant, w.err = backends.Acquire(ctx, b, r)
	})
	s.Cleanup(cancel)
	return w
}

// queue calls Acquire in the background and returns when the request stands in the queue.
func (s *session) queue(b backends.Backend, r backends.Request) *waiting {
	s.Helper()
	before := len(s.inspect(r.Name).Waiters)
	w := s.start(b, r)
	s.waitQueued(r.Name, before+1)
	return w
}

// follow calls Acquire in the background for a resource whose holder may lose it at any time. It
// returns when the request is queued or answered: on a slow machine the holder may lose it first.
func (s *session) follow(b backends.Backend, r backends.Request) *waiting {
	s.Helper()
	w := s.start(b, r)
	w.queued()
	return w
}

// queued waits until the request, the only one for the clause's resource, is queued or answered,
// and reports whether it was seen in the queue.
func (w *waiting) queued() bool {
	w.s.Helper()
	for {
		select {
		case <-w.ended:
			return false
		default:
		}
		if len(w.s.inspect(w.s.name).Waiters) > 0 {
			return true
		}
		runtime.Gosched()
	}
}

// waitQueued returns when n requests wait for the resource.
func (s *session) waitQueued(name string, n int) {
	s.Helper()
	for {
		got := len(s.inspect(name).Waiters)
		if got == n {
			return
		}
		if s.ctx.Err() != nil {
			s.Fatalf("%d requests wait for %q; want %d", got, name, n)
		}
		runtime.Gosched()
	}
}

// granted waits for the grant.
func (w *waiting) granted() backends.Grant {
	w.s.Helper()
	w.wait()
	if w.err != nil {
		w.s.Fatalf("a waiting Acquire failed: %v; want a grant", w.err)
	}
	return w.grant
}

// failed waits for an error that is want, and returns it.
func (w *waiting) failed(want error) error {
	w.s.Helper()
	w.wait()
	if !errors.Is(w.err, want) {
		w.s.Fatalf("a waiting Acquire returned %+v, %v; want %v", w.grant, w.err, want)
	}
	return w.err
}

func (w *waiting) wait() {
	w.s.Helper()
	select {
	case <-w.ended:
	case <-w.s.ctx.Done():
		select {
		case <-w.ended: // both at once: what must happen has happened
		default:
			w.s.Fatalf("a waiting Acquire has not returned; state: %s", w.s.describe())
		}
	}
}

// waits expects that exactly these requests, in this order, wait for the clause's resource.
func (s *session) waits(n int) {
	s.Helper()
	if got := len(s.inspect(s.name).Waiters); got != n {
		s.Fatalf("%d requests wait; want %d; state: %s", got, n, s.describe())
	}
}

func (s *session) inspect(name string) backends.State {
	s.Helper()
	state, err := s.b.Inspect(s.ctx, name)
	if err != nil {
		s.Fatalf("Inspect(%q): %v", name, err)
	}
	return state
}

// unused expects that nobody holds or waits for the name. A store may need a moment to forget the last of them.
func (s *session) unused(name string) {
	s.Helper()
	for {
		state := s.inspect(name)
		if len(state.Holders) == 0 && len(state.Waiters) == 0 {
			return
		}
		if s.ctx.Err() != nil {
			s.Fatalf("%q is still in use: %+v", name, state)
		}
		runtime.Gosched()
	}
}

func (s *session) describe() string {
	ctx, cancel := context.WithTimeout(context.Background(), s.env.Patience)
	defer cancel()
	state, err := s.b.Inspect(ctx, s.name)
	return fmt.Sprintf("%+v, %v", state, err)
}

func show(r backends.Request) string {
	name := r.Name
	if len(name) > 40 {
		name = name[:40] + "…"
	}
	return fmt.Sprintf("%q (%s, %d of %d)", name, r.Kind, r.Weight, r.Capacity)
}
