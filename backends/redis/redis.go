package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Backend is one client of the locks on a Redis server, Sentinel group or cluster. Make it with [New]; the zero value is
// not usable. It is safe for concurrent use.
//
// Between acquires, while nothing is held, it has no goroutine, no subscription and no timer, only idle connections.
// A grant happens after the release that made room for it, as far as the server orders them; there is no
// happens-before edge between processes but through the server.
type Backend struct {
	id      uint64
	opt     options
	clients clients
	desk    *desk
	head    [3]any        // the arguments that every script takes first
	inboxes string        // what the channels of all clients begin with; a client's own number follows
	channel string        // of this client
	seq     atomic.Uint64 // of the last request
	owner   atomic.Pointer[ownerText]

	addresses addresses
	closing   atomic.Bool // set once, by the desk; tells tasks why their connections end
}

var _ backends.Backend = (*Backend)(nil)

var capabilities = backends.Capabilities{
	Name: "redis", Expiry: true, CrossProcess: true, DurableToken: true, Break: true,
}

// New returns a backend for the locks that client can reach. It does not connect: the first acquire does.
//
// A *redis.Client (a Sentinel client is one) and a *redis.ClusterClient lend only their options: the backend opens
// connections of its own, so that an exhausted pool cannot end leases, and never changes or closes the client. Any other
// client is used as it is. Errors are *backends.InvalidError.
func New(client redis.UniversalClient, opts ...Option) (*Backend, error) {
	if client == nil {
		return nil, fmt.Errorf("redis: %w",
			&backends.InvalidError{Field: "client", Value: client, Want: "a client"})
	}
	o, err := newOptions(opts)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	b := &Backend{id: rand.Uint64(), opt: o, clients: connect(client, o)}
	b.inboxes = o.prefix + "inbox:"
	b.channel = b.inboxes + hexID(b.id)
	b.head = [3]any{b.inboxes, micros(o.alive()), micros(o.claim())}
	b.desk = newDesk(b)
	return b, nil
}

// Capabilities tells what the store can do.
func (b *Backend) Capabilities() backends.Capabilities { return capabilities }

// header returns the arguments that every script takes first, with room for more.
func (b *Backend) header(more int) []any {
	return append(make([]any, 0, len(b.head)+more), b.head[:]...)
}

// call runs f, which does I/O, on a goroutine of its own, and returns when f has returned or ctx has ended. The
// end of ctx wins a tie: whoever calls undoes what f may still bring about. What f returns is handled by the desk, unless
// it is nil.
func (b *Backend) call(ctx context.Context, f func(context.Context) message) error {
	return b.run(ctx, func(ctx context.Context, _ redis.UniversalClient) message { return f(ctx) }, nil)
}

// callSelf is call, but f runs on the caller's goroutine if the lane is free. F does its I/O with the client that it is
// given.
func (b *Backend) callSelf(ctx context.Context, f exchange) error {
	return b.run(ctx, f, b.clients.lane)
}

// exchange is what talks to the server, and returns what the desk is to be told.
type exchange func(context.Context, redis.UniversalClient) message

func (b *Backend) run(ctx context.Context, f exchange, l *lane) error {
	if err := ended(ctx); err != nil {
		return err
	}
	r := run{work: make(chan struct{}, 1), done: make(chan error, 1)}
	b.desk.actor.Deliver(r)
	for {
		select { // a tie does not matter: the end of ctx ends f, and abandon takes back work that was not begun
		case <-r.work:
			g := func(ctx context.Context, c redis.UniversalClient) message {
				m := f(ctx, c)
				r.done <- nil
				return m
			}
			if b.perform(ctx, l, g); ctx.Err() != nil {
				return ended(ctx)
			}
		case err := <-r.done:
			return err
		case <-ctx.Done():
			b.desk.actor.Deliver(abandon{r.work})
			return ended(ctx)
		}
	}
}

// perform does work that the desk has handed out: on the caller's goroutine if it may have the lane, else on one of its
// own. The desk is told what came of it.
func (b *Backend) perform(ctx context.Context, l *lane, f exchange) {
	if !l.take() {
		b.desk.actor.Go(func() message {
			grow(1)
			return performed{f(ctx, b.clients.calls)}
		})
		return
	}
	var m message
	l.do(ctx, func() { m = f(ctx, l.client) })
	b.desk.actor.Deliver(performed{m})
}

// run is a call on its way to the desk.
type run struct {
	work chan struct{} // capacity 1: what the desk hands out, and counts
	done chan error    // capacity 1: nobody waits for a caller that has gone
}

func (r run) on(d *desk) {
	if d.closing {
		r.done <- backends.ErrClosed
		return
	}
	d.handOut(r.work)
}

func (r run) fail(err error) { r.done <- err }

// abandon says that the caller that was to do some work has gone.
type abandon struct{ work chan struct{} }

func (m abandon) on(d *desk) {
	d.takeBack(m.work)
	d.settle()
}
