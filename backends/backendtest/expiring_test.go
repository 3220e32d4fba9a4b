package backendtest_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
)

// expiring is the memory backend with grants that expire: what a server does, without the server.
// It stands in for stores whose clauses the memory backend does not promise.
type expiring struct {
	intercept.Backend
	mu     sync.Mutex
	timers map[backends.GrantID]*time.Timer

	early  bool // fault: expires long before ValidUntil
	sticky bool // fault: does not expire
	late   bool // fault: counts validity from when the answer came, and generously
	forget bool // fault: renewals do not prolong
	revive bool // fault: renews what has expired
	lax    bool // fault: takes any time to live
	brief  bool // fault: is valid for less than is needed
	unkept bool // fault: nothing is kept that has expired
}

// ends are the times when the grants of all clients expire, by their ID.
var ends sync.Map

func newExpiring(store *memory.Backend) *expiring {
	b := &expiring{timers: make(map[backends.GrantID]*time.Timer)}
	b.Backend = intercept.Backend{
		Backend: store.Peer(), OnStart: b.start, OnRenew: b.renew, OnInspect: b.inspect, OnClose: b.close,
		OnDetach: b.detach, OnAdopt: b.adopt,
	}
	return b
}

func (b *expiring) Capabilities() backends.Capabilities {
	c := b.Backend.Capabilities()
	c.Expiry = true
	return c
}

func (b *expiring) start(op *backends.Op, start intercept.Start) backends.Work {
	b.stop(op.Release)
	if err := op.Check(b.Capabilities()); err != nil && !b.lax {
		requests := slices.Clone(op.Acquire)
		for i := range requests {
			requests[i].Weight = -1 // refused by the store as well
		}
		op.Acquire = requests
		granted := op.Granted
		op.Granted = func(i int, g backends.Grant, _ error) { granted(i, g, err) }
		return start(op)
	}
	sent, granted, requests := time.Now(), op.Granted, op.Acquire
	op.Granted = func(i int, g backends.Grant, err error) {
		if err == nil {
			if g.Waited {
				sent = time.Now()
			}
			g.ValidUntil = b.watch(g, sent, requests[i].TTL)
		}
		granted(i, g, err)
	}
	return start(op)
}

// stop ends the timers of grants that are released.
func (b *expiring) stop(gs []backends.Grant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range gs {
		if t := b.timers[g.ID]; t != nil {
			t.Stop()
			delete(b.timers, g.ID)
		}
	}
}

func (b *expiring) watch(g backends.Grant, sent time.Time, ttl time.Duration) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(g, ttl)
	switch {
	case b.late:
		return time.Now().Add(ttl + time.Hour)
	case b.brief:
		return sent.Add(-time.Hour)
	}
	return backends.ValidUntil(sent, ttl)
}

func (b *expiring) set(g backends.Grant, ttl time.Duration) {
	if b.unkept {
		g.AtLeast = 0
	}
	if b.early {
		ttl = 50 * time.Millisecond
	}
	if t := b.timers[g.ID]; t != nil {
		t.Stop()
	}
	ends.Store(g.ID, time.Now().Add(ttl))
	b.timers[g.ID] = time.AfterFunc(ttl, func() {
		if !b.sticky {
			_ = backends.Release(context.Background(), b.Backend.Backend, g)
		}
	})
}

func (b *expiring) renew(ctx context.Context, rs []backends.Renewal, renew intercept.Renew) []backends.Renewed {
	sent := time.Now()
	answers := renew(ctx, rs)
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

// detach leaves the grant to the store's own timer.
func (b *expiring) detach(ctx context.Context, d backends.Detachment, detach intercept.Detach) error {
	err := detach(ctx, d)
	if err == nil {
		b.stop([]backends.Grant{d.Grant})
	}
	return err
}

func (b *expiring) adopt(
	ctx context.Context, a backends.Adoption, adopt intercept.Adopt,
) (backends.Grant, error) {
	if err := a.Check(b.Capabilities()); err != nil {
		return backends.Grant{}, err
	}
	sent := time.Now()
	g, err := adopt(ctx, a)
	if err == nil {
		g.ValidUntil = b.watch(g, sent, a.TTL)
	}
	return g, err
}

func (b *expiring) inspect(ctx context.Context, name string, inspect intercept.Inspect) (backends.State, error) {
	state, err := inspect(ctx, name)
	for i := range state.Holders {
		h := &state.Holders[i]
		if end, ok := ends.Load(h.ID); ok && !h.Detached {
			h.Expires = max(time.Until(end.(time.Time)), 1)
		}
	}
	return state, err
}

func (b *expiring) close(ctx context.Context, closes intercept.Close) error {
	b.mu.Lock()
	for _, t := range b.timers {
		t.Stop()
	}
	b.mu.Unlock()
	return closes(ctx)
}
