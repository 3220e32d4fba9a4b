package backendtest_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// expiring is the memory backend with grants that expire: what a server does, without the server. It stands in for stores
// whose clauses the memory backend does not promise.
type expiring struct {
	*memory.Backend
	mu     sync.Mutex
	timers map[backends.GrantID]*time.Timer

	early  bool // fault: expires long before ValidUntil
	sticky bool // fault: does not expire
	late   bool // fault: counts validity from when the answer came, and generously
	forget bool // fault: renewals do not prolong
	revive bool // fault: renews what has expired
	lax    bool // fault: takes any time to live
	brief  bool // fault: is valid for less than is needed
}

func (b *expiring) Capabilities() backends.Capabilities {
	c := b.Backend.Capabilities()
	c.Expiry = true
	return c
}

func (b *expiring) Acquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	if err := r.Check(b.Capabilities()); err != nil && !b.lax {
		return backends.Grant{}, err
	}
	if g, err := b.TryAcquire(ctx, r); !errors.Is(err, backends.ErrBusy) {
		return g, err
	}
	g, err := b.Backend.Acquire(ctx, r)
	return b.watch(g, time.Now(), r.TTL, err)
}

func (b *expiring) TryAcquire(ctx context.Context, r backends.Request) (backends.Grant, error) {
	if err := r.Check(b.Capabilities()); err != nil && !b.lax {
		return backends.Grant{}, err
	}
	sent := time.Now()
	g, err := b.Backend.TryAcquire(ctx, r)
	return b.watch(g, sent, r.TTL, err)
}

func (b *expiring) watch(g backends.Grant, sent time.Time, ttl time.Duration, err error) (backends.Grant, error) {
	if err != nil {
		return g, err
	}
	g.ValidUntil = backends.ValidUntil(sent, ttl)
	if b.late {
		g.ValidUntil = time.Now().Add(ttl + time.Hour)
	}
	if b.brief {
		g.ValidUntil = sent.Add(-time.Hour)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(g, ttl)
	return g, nil
}

func (b *expiring) set(g backends.Grant, ttl time.Duration) {
	if b.early {
		ttl = 50 * time.Millisecond
	}
	if t := b.timers[g.ID]; t != nil {
		t.Stop()
	}
	b.timers[g.ID] = time.AfterFunc(ttl, func() {
		if !b.sticky {
			_ = b.Backend.Release(context.Background(), g)
		}
	})
}

func (b *expiring) Renew(ctx context.Context, rs []backends.Renewal) []backends.Renewed {
	sent := time.Now()
	answers := b.Backend.Renew(ctx, rs)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range answers {
		if a.Err == nil {
			a.Err = backends.CheckTTL(rs[i].TTL)
		}
		if a.Err != nil && b.revive {
			a.Err = nil
		}
		if a.Err == nil {
			a.ValidUntil = backends.ValidUntil(sent, rs[i].TTL)
			if g := rs[i].Grant; a.ValidUntil.Before(g.ValidUntil) {
				a.ValidUntil = g.ValidUntil
			}
			if !b.forget && b.timers[rs[i].Grant.ID] != nil {
				b.set(rs[i].Grant, rs[i].TTL)
			}
		}
		answers[i] = a
	}
	return answers
}

func (b *expiring) Release(ctx context.Context, g backends.Grant) error {
	b.mu.Lock()
	if t := b.timers[g.ID]; t != nil {
		t.Stop()
		delete(b.timers, g.ID)
	}
	b.mu.Unlock()
	return b.Backend.Release(ctx, g)
}

func (b *expiring) Post(p backends.Post) backends.Posted {
	if p.After != nil {
		b.mu.Lock()
		if t := b.timers[p.After.ID]; t != nil {
			t.Stop()
			delete(b.timers, p.After.ID)
		}
		b.mu.Unlock()
	}
	answered := p.Answered
	p.Answered = func(g backends.Grant, err error) {
		answered(b.watch(g, time.Now(), p.TTL, err))
	}
	return b.Backend.Post(p)
}

func (b *expiring) Inspect(ctx context.Context, name string) (backends.State, error) {
	state, err := b.Backend.Inspect(ctx, name)
	for i := range state.Holders {
		state.Holders[i].Expires = time.Minute
	}
	return state, err
}

func (b *expiring) Close(ctx context.Context) error {
	b.mu.Lock()
	for _, t := range b.timers {
		t.Stop()
	}
	b.mu.Unlock()
	return b.Backend.Close(ctx)
}

func newExpiring(store *memory.Backend) *expiring {
	return &expiring{
		Backend: store.Peer(),
		timers:  make(map[backends.GrantID]*time.Timer),
	}
}
