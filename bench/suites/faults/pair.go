package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/bench/holders"
	"github.com/lockkeeper/lockkeeper/bench/proxy"
)

// pair is a process that holds a lock and another one that waits for it.
type pair struct {
	plan
	name           string
	holder, waiter *holders.Process
	way            *proxy.Proxy // of the holder to the server
	other          *proxy.Proxy // of the waiter
	grant          holders.Event

	once sync.Once
	got  holders.Event // what came of the waiter's request
	err  error
}

// each runs pairs at once, each with a lock of its own, and returns when all have ended. Measure is called when the
// holder holds and the waiter has asked.
func each(ctx context.Context, p plan, measure func(ctx context.Context, p *pair) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for range p.pairs {
		g.Go(func() (err error) {
			pr := &pair{plan: p, name: name()}
			defer func() { err = errors.Join(err, pr.end()) }()
			if err := pr.begin(ctx); err != nil {
				return err
			}
			return measure(ctx, pr)
		})
	}
	return g.Wait()
}

// spec names the pair's lock, as it is reached at an address.
func (p *plan) spec(name, addr string) holders.Spec {
	return holders.Spec{Library: p.library, Store: p.store.at(addr), Name: name, TTL: p.ttl}
}

func (p *pair) begin(ctx context.Context) (err error) {
	if p.way, err = proxy.New(p.store.addr); err != nil {
		return err
	}
	if p.other, err = proxy.New(p.store.addr); err != nil {
		return err
	}
	if p.holder, err = holders.Start(p.spec(p.name, p.way.Addr)); err != nil {
		return err
	}
	if p.waiter, err = holders.Start(p.spec(p.name, p.other.Addr)); err != nil {
		return err
	}
	if p.grant, err = p.holder.Hold(ctx); err != nil {
		return err
	}
	if err := p.waiter.Acquire(); err != nil {
		return err
	}
	return p.queued(ctx, p.name, 1, 1)
}

// asked is how long a waiter has to ask the store for the first time.
const asked = 250 * time.Millisecond

// queued returns when so many waiters of so many processes wait, as far as that can be known.
func (p *plan) queued(ctx context.Context, name string, n, processes int) error {
	seen := n
	switch {
	case p.store.waiting == nil:
		seen = 0
	case p.store.single:
		seen = processes
	}
	if seen < n {
		time.Sleep(asked)
	}
	if seen == 0 {
		return nil
	}
	for end := time.Now().Add(p.patience()); ; time.Sleep(time.Millisecond) {
		got, err := p.store.waiting(ctx, name)
		if err != nil || got >= seen {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d requests are in the queue", got, seen)
		}
	}
}

// answer returns what comes of the waiter's request, and fails only if nothing comes for a long time.
func (p *pair) answer(ctx context.Context) (holders.Event, error) {
	p.once.Do(func() {
		var ok bool
		p.got, ok, p.err = p.waiter.Within(ctx, p.patience())
		if p.err == nil && !ok {
			p.got = holders.Event{What: nothing}
		}
	})
	return p.got, p.err
}

// nothing is what comes of a request that is not answered.
const nothing holders.What = "nothing"

// patience is how long something may take that happens at all.
func (p *plan) patience() time.Duration { return max(5*p.ttl, 15*time.Second) }

// end ends the processes without ceremony.
func (p *pair) end() error {
	for _, h := range []*holders.Process{p.holder, p.waiter} {
		if h != nil {
			h.Kill()
		}
	}
	var errs []error
	for _, way := range []*proxy.Proxy{p.way, p.other} {
		if way != nil {
			errs = append(errs, way.Close())
		}
	}
	return errors.Join(errs...)
}

// unexpected is the error of an event that does not belong here.
func unexpected(e holders.Event) error { return fmt.Errorf("unexpected: %s %s", e.What, e.Err) }

// ms is a duration as a figure.
func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
