package manager

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// fakeStore is a store whose grants expire and whose network can be broken. It is for what cannot be made to happen with a real
// one at a chosen instant; what it does when nothing is broken is what the contract says, in a few lines.
type fakeStore struct {
	mu    sync.Mutex
	names map[string]*fakeName
	token uint64
	seq   uint64
}

type fakeName struct {
	used    int64
	holders []*fakeGrant
	queue   []*fakeWait
}

type fakeGrant struct {
	backends.Grant
	expires time.Time
	notify  func(backends.Event)
	client  uint64

	detached backends.GrantID // its ID until it was detached; then it has none
	proof    backends.Proof
}

type fakeWait struct {
	r    backends.Request
	from *fake
	id   backends.GrantID
	done chan *fakeGrant

	waited bool
}

// fake is one client. Its hooks are called before the store has seen the call, and after; what they return is the caller's error.
type fake struct {
	store  *fakeStore
	id     uint64
	before func(ctx context.Context, op string) error
	after  func(ctx context.Context, op string) error
	brief  time.Duration // how long a grant lasts at first that had to be waited for and may be short; 0: its TTL

	mu         sync.Mutex
	calls      map[string]int
	operations int
	gone       []string // names in the order of their releases
}

func newFake() *fake { return (&fakeStore{names: map[string]*fakeName{}}).client(1) }

func (s *fakeStore) client(id uint64) *fake { return &fake{store: s, id: id, calls: map[string]int{}} }

func (f *fake) peer() *fake { return f.store.client(f.id + 1) }

// hang is a hook for a network that swallows everything.
func hang(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func slow(d time.Duration) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// only hooks one kind of call.
func only(op string, hook func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, o string) error {
		if o == op {
			return hook(ctx, o)
		}
		return nil
	}
}

func (f *fake) hooks() (before, after func(context.Context, string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.before, f.after
}

func (f *fake) set(before, after func(context.Context, string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *fake) call(ctx context.Context, op string, body func() error) error {
	f.mu.Lock()
	f.calls[op]++
	f.mu.Unlock()
	before, after := f.hooks()
	if before != nil {
		if err := before(ctx, op); err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	err := body()
	if after != nil {
		if e := after(ctx, op); e != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, e)
		}
	}
	return err
}

func (f *fake) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

func (f *fake) Capabilities() backends.Capabilities {
	return backends.Capabilities{Name: "fake", Expiry: true, Break: true, Detach: true}
}

func (s *fakeStore) name(n string) *fakeName {
	x := s.names[n]
	if x == nil {
		x = &fakeName{}
		s.names[n] = x
	}
	now := time.Now()
	for _, h := range slices.Clone(x.holders) {
		if !h.expires.After(now) {
			x.drop(h)
		}
	}
	return x
}

// drop takes a grant out, if it has not expired before.
func (x *fakeName) drop(h *fakeGrant) {
	if i := slices.Index(x.holders, h); i >= 0 {
		x.holders = slices.Delete(x.holders, i, i+1)
		x.used -= h.Weight
	}
}

func (s *fakeStore) grant(x *fakeName, r backends.Request, f *fake, id backends.GrantID) *fakeGrant {
	x.used += r.Weight
	first := backends.NextToken(s.token, time.Now())
	s.token = first + uint64(r.Tokens) - 1
	g := &fakeGrant{Grant: backends.Grant{
		ID: id, Resource: r.Resource, Weight: r.Weight, Token: first, Tokens: r.Tokens,
	}, expires: time.Now().Add(r.TTL), notify: r.Notify, client: f.id}
	x.holders = append(x.holders, g)
	return g
}

func (s *fakeStore) pump(x *fakeName) {
	for len(x.queue) > 0 && x.used+x.queue[0].r.Weight <= x.queue[0].r.Capacity {
		w := x.queue[0]
		x.queue = x.queue[1:]
		g := s.grant(x, w.r, w.from, w.id)
		g.Contended = x.others(w.from.id)
		w.done <- g
	}
}

func (x *fakeName) others(id uint64) bool {
	return slices.ContainsFunc(x.queue, func(w *fakeWait) bool { return w.from.id != id })
}

// Start returns work that makes the calls of the operation: one for each release, one for all
// requests. Requests that wait go on waiting on goroutines of their own.
func (f *fake) Start(op *backends.Op) backends.Work {
	wait, cancel := context.WithCancelCause(context.Background())
	op.State = cancel
	f.mu.Lock()
	f.operations++
	f.mu.Unlock()
	return func(ctx context.Context) {
		for i, g := range op.Release {
			op.Released(i, f.release(ctx, g))
		}
		stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
		defer stop()
		switch {
		case len(op.Acquire) == 0:
		case op.Wait:
			f.acquire(wait, op)
		default:
			gs, err := f.try(wait, op.Acquire)
			for i := range op.Acquire {
				if err != nil {
					op.Granted(i, backends.Grant{}, err)
				} else {
					op.Granted(i, gs[i], nil)
				}
			}
		}
	}
}

// Cancel ends the waits of the operation.
func (f *fake) Cancel(op *backends.Op) backends.Work {
	op.State.(context.CancelCauseFunc)(context.Canceled)
	return nil
}

// acquire gives all requests their places in one step. It returns when each of them is granted, has
// failed, or waits.
func (f *fake) acquire(ctx context.Context, op *backends.Op) {
	ws := make([]*fakeWait, len(op.Acquire))
	cancel := op.State.(context.CancelCauseFunc)
	err := f.call(ctx, "acquire", func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s := f.store
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, r := range op.Acquire {
			s.seq++
			w := &fakeWait{r: r, from: f, id: backends.GrantID{Client: f.id, Seq: s.seq}, done: make(chan *fakeGrant, 1)}
			x := s.name(r.Name)
			x.queue = append(x.queue, w)
			s.pump(x)
			w.waited = len(w.done) == 0
			for _, h := range x.holders {
				if w.waited && h.client != f.id && h.notify != nil {
					h.notify(backends.Event{Grant: h.ID, Type: backends.Contended})
				}
			}
			ws[i] = w
		}
		return nil
	})
	for i, w := range ws {
		switch {
		case w == nil:
			op.Granted(i, backends.Grant{}, err)
		case err != nil: // the answer was lost: what it had is given back
			cancel(err)
			go f.finish(ctx, op, i, w, err)
		case !w.waited:
			f.finish(ctx, op, i, w, nil)
		default:
			go f.finish(ctx, op, i, w, nil)
		}
	}
}

// finish waits for the grant and tells the answer.
func (f *fake) finish(ctx context.Context, op *backends.Op, i int, w *fakeWait, lost error) {
	s := f.store
	s.mu.Lock()
	x := s.name(w.r.Name)
	s.mu.Unlock()
	got, err := f.await(ctx, x, w)
	if err == nil && lost != nil {
		s.mu.Lock()
		x.drop(got)
		s.pump(x)
		s.mu.Unlock()
	}
	if lost != nil {
		err = lost
	}
	if err != nil {
		op.Granted(i, backends.Grant{}, err)
		return
	}
	s.mu.Lock()
	g := got.Grant
	g.Waited = w.waited
	if f.brief > 0 && w.r.MinValid > 0 {
		got.expires = time.Now().Add(f.brief)
	}
	g.ValidUntil = backends.ValidUntil(got.expires.Add(-w.r.TTL), w.r.TTL)
	s.mu.Unlock()
	op.Granted(i, g, nil)
}

// await wakes up when a grant in the way expires, as a store does.
func (f *fake) await(ctx context.Context, x *fakeName, w *fakeWait) (*fakeGrant, error) {
	s := f.store
	for {
		s.mu.Lock()
		next := time.Hour
		for _, h := range x.holders {
			next = min(next, time.Until(h.expires))
		}
		s.mu.Unlock()
		t := time.NewTimer(next)
		select {
		case g := <-w.done:
			t.Stop()
			return g, nil
		case <-t.C:
			s.mu.Lock()
			s.pump(s.name(w.r.Name))
			s.mu.Unlock()
		case <-ctx.Done():
			t.Stop()
			s.mu.Lock()
			defer s.mu.Unlock()
			x.queue = slices.DeleteFunc(x.queue, func(o *fakeWait) bool { return o == w })
			select {
			case g := <-w.done:
				x.drop(g)
			default:
			}
			s.pump(x)
			return nil, ctx.Err()
		}
	}
}

func (f *fake) try(ctx context.Context, rs []backends.Request) (gs []backends.Grant, err error) {
	sent := time.Now()
	err = f.call(ctx, "try", func() error {
		s := f.store
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, r := range rs {
			if x := s.name(r.Name); len(x.queue) > 0 || x.used+r.Weight > r.Capacity {
				return ErrBusy
			}
		}
		for _, r := range rs {
			s.seq++
			g := s.grant(s.name(r.Name), r, f, backends.GrantID{Client: f.id, Seq: s.seq}).Grant
			g.ValidUntil = backends.ValidUntil(sent, r.TTL)
			gs = append(gs, g)
		}
		return nil
	})
	return gs, err
}

func (f *fake) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	out := make([]backends.Renewed, len(rs))
	sent := time.Now()
	err := f.call(ctx, "renew", func() error {
		s := f.store
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, r := range rs {
			x := s.name(r.Grant.Resource.Name)
			j := slices.IndexFunc(x.holders, func(h *fakeGrant) bool { return h.ID == r.Grant.ID })
			if j < 0 {
				out[i].Err = &LostError{Name: r.Grant.Resource.Name, Token: r.Grant.Token, Reason: NotOwner}
				continue
			}
			x.holders[j].expires = time.Now().Add(r.TTL)
			out[i] = backends.Renewed{ValidUntil: backends.ValidUntil(sent, r.TTL), Contended: x.others(f.id)}
			if r.Tokens > 0 {
				first := backends.NextToken(s.token, time.Now())
				s.token = first + uint64(r.Tokens) - 1
				out[i].Token, out[i].Tokens = first, r.Tokens
			}
		}
		return nil
	})
	if err != nil {
		for i := range out {
			out[i] = backends.Renewed{Err: err}
		}
	}
	return out
}

func (f *fake) release(ctx context.Context, g backends.Grant) error {
	f.mu.Lock()
	f.gone = append(f.gone, g.Resource.Name)
	f.mu.Unlock()
	return f.call(ctx, "release", func() error {
		s := f.store
		s.mu.Lock()
		defer s.mu.Unlock()
		x := s.name(g.Resource.Name)
		for _, h := range x.holders {
			if h.ID == g.ID {
				x.drop(h)
				s.pump(x)
				return nil
			}
		}
		s.pump(x)
		return &LostError{Name: g.Resource.Name, Token: g.Token, Reason: NotOwner}
	})
}

// forget loses the store's data.
func (f *fake) forget() {
	s := f.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.names {
		for _, h := range slices.Clone(x.holders) {
			x.drop(h)
		}
		s.pump(x)
	}
}

func (f *fake) held(name string) int {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	return len(f.store.name(name).holders)
}

func (f *fake) Inspect(context.Context, string) (backends.State, error) { return backends.State{}, nil }
func (f *fake) List(context.Context) iter.Seq2[backends.State, error] {
	return func(func(backends.State, error) bool) {}
}
func (f *fake) Break(context.Context, string) error { return nil }
func (f *fake) Close(context.Context) error         { return nil }
