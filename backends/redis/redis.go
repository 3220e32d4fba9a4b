package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Backend is one client of the locks on a Redis server, Sentinel group or cluster. Make it with [New]; the methods of
// the zero value panic. It is safe for concurrent use.
//
// Between acquires, while nothing is held, it has no goroutine, no subscription and no timer, only idle connections.
// A grant happens after the release that made room for it, as far as the server orders them; there is no
// happens-before edge between processes but through the server.
type Backend struct {
	id       uint64
	opt      options
	conns    connections
	client   *client
	patience time.Duration // cancelPatience, but for tests
	pace     atomic.Pointer[pace]
	channel  string        // of this client
	seq      atomic.Uint64 // of the last request
	owner    atomic.Pointer[ownerText]
	want     atomic.Pointer[wantText]

	addresses addresses
	running   atomic.Int64 // calls of do that talk to the server
	ended     atomic.Bool  // set once, by Close: no more of them
	closing   atomic.Bool  // set once, by the client; tells tasks why their connections end
}

var _ backends.Backend = (*Backend)(nil)

var capabilities = backends.Capabilities{
	Name: "redis", Expiry: true, CrossProcess: true, DurableToken: true, Break: true, AtLeast: true,
	NamesHolder: true, Detach: true,
}

// New returns a backend for the locks that client can reach. It does not connect: the first acquire does.
//
// A *redis.Client (a Sentinel client is one) and a *redis.ClusterClient lend only their options:
// the backend opens connections of its own, so that an exhausted pool cannot end leases, and never
// changes or closes the client. Any other client is used as it is. New refuses clients that cannot
// work: nil of any type; a *redis.Ring, also if it is wrapped, since it has no node for the
// messages to a client; and a *redis.AutoPipeliner, which ties commands to each other. Errors are
// *backends.InvalidError.
func New(client redis.UniversalClient, opts ...Option) (*Backend, error) {
	if err := checkClient(client); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	o, err := newOptions(opts)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	b := &Backend{id: rand.Uint64(), opt: o, conns: connect(client, o), patience: cancelPatience}
	b.channel = o.prefix + "inbox:" + hexID(b.id)
	b.pace.Store(newPace(o.heartbeat, 0))
	b.client = newClient(b)
	return b, nil
}

// Capabilities tells what the store can do.
func (b *Backend) Capabilities() backends.Capabilities { return capabilities }

// made panics if b is the zero value.
func (b *Backend) made() {
	if b.client == nil {
		panic("redis: use of a zero Backend: make it with New")
	}
}

// header returns the argument that every script takes first, with room for more.
func (b *Backend) header(more int) []any {
	return append(make([]any, 0, 1+more), b.pace.Load().alive)
}

// call runs f, which does I/O, on a goroutine of its own, and returns when f has returned or ctx has
// ended. The end of ctx wins a tie: whoever calls undoes what f may still bring about.
func (b *Backend) call(ctx context.Context, f func(context.Context)) error {
	b.made()
	if err := backends.CheckContext(ctx); err != nil {
		return err
	}
	return b.do(ctx, nil, func(ctx context.Context, _ redis.UniversalClient) { f(ctx) })
}

// do has f talk to the server, and returns when f has returned or ctx has ended. f runs on the
// goroutine of the caller in the lane, which ctx can end, or else in a task.
//
// running is raised before ended is looked at, and settle looks at it after ended was set: so
// either f does not run, or Close waits for it.
func (b *Backend) do(ctx context.Context, l *lane, f func(context.Context, redis.UniversalClient)) error {
	if b.running.Add(1); b.ended.Load() {
		b.stopped()
		return backends.ErrClosed
	}
	if l.take() {
		defer b.stopped()
		l.do(ctx, f)
		return backends.Ended(ctx)
	}
	done := make(chan struct{})
	b.client.actor.Go(func() message {
		defer b.stopped()
		defer close(done) // also when it panics
		grow(1)
		f(ctx, b.conns.calls)
		return nil
	})
	select { // a tie does not matter: the end of ctx wins
	case <-done:
	case <-ctx.Done():
	}
	return backends.Ended(ctx)
}

// stopped says that f has returned.
func (b *Backend) stopped() {
	if b.running.Add(-1) == 0 && b.ended.Load() {
		b.tell(settle{})
	}
}
