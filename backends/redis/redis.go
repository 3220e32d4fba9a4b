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
	clients  clients
	desk     *desk
	patience time.Duration // cancelPatience, but for tests
	inboxes  any           // what the channels of all clients begin with; a client's own number follows
	pace     atomic.Pointer[pace]
	channel  string        // of this client
	seq      atomic.Uint64 // of the last request
	owner    atomic.Pointer[ownerText]

	addresses addresses
	closing   atomic.Bool // set once, by the desk; tells tasks why their connections end
}

var _ backends.Backend = (*Backend)(nil)

var capabilities = backends.Capabilities{
	Name: "redis", Expiry: true, CrossProcess: true, DurableToken: true, Break: true,
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
	b := &Backend{id: rand.Uint64(), opt: o, clients: connect(client, o), patience: cancelPatience}
	b.inboxes = o.prefix + "inbox:"
	b.channel = o.prefix + "inbox:" + hexID(b.id)
	b.pace.Store(newPace(o.heartbeat, 0))
	b.desk = newDesk(b)
	return b, nil
}

// Capabilities tells what the store can do.
func (b *Backend) Capabilities() backends.Capabilities { return capabilities }

// made panics if b is the zero value.
func (b *Backend) made() {
	if b.desk == nil {
		panic("redis: use of a zero Backend: make it with New")
	}
}

// header returns the arguments that every script takes first, with room for more.
func (b *Backend) header(more int) []any {
	return append(make([]any, 0, 2+more), b.inboxes, b.pace.Load().alive)
}

// call runs f, which does I/O, on a goroutine of its own, and returns when f has returned or ctx has ended. The
// end of ctx wins a tie: whoever calls undoes what f may still bring about. What f returns is handled by the desk, unless
// it is nil.
func (b *Backend) call(ctx context.Context, f job) error {
	b.made()
	if err := backends.CheckContext(ctx); err != nil {
		return err
	}
	r := newRun()
	b.desk.actor.Deliver(&r)
	return b.run(ctx, &r, f, nil)
}

// exchange is what talks to the server, with the client that it is given, and returns what the desk is to be told.
type exchange interface {
	exchange(context.Context, redis.UniversalClient) message
}

// job is an exchange with whichever client it likes.
type job func(context.Context) message

func (f job) exchange(ctx context.Context, _ redis.UniversalClient) message { return f(ctx) }

// run does x when the desk hands it out, in the lane if it may have that.
func (b *Backend) run(ctx context.Context, r *run, x exchange, l *lane) error {
	select { // a tie does not matter: the end of ctx ends x, and abandon takes back work that was not begun
	case _, ok := <-r.work:
		switch {
		case !ok:
			return r.refused
		case ctx.Err() != nil:
			b.desk.actor.Deliver(performed{})
		case b.perform(ctx, l, x):
		default:
			select {
			case <-b.delegate(ctx, x):
				return nil
			case <-ctx.Done():
			}
		}
	case <-ctx.Done():
		b.desk.actor.Deliver(abandon{r.work})
	}
	return ended(ctx)
}

// perform does work that the desk has handed out on the caller's goroutine, and tells the desk what came of it, if it may have the lane.
func (b *Backend) perform(ctx context.Context, l *lane, x exchange) bool {
	if !l.take() {
		return false
	}
	b.desk.actor.Deliver(performed{l.do(ctx, x)})
	return true
}

// delegate has a task do work that the desk has handed out, and returns a channel that is closed
// when it is done.
func (b *Backend) delegate(ctx context.Context, x exchange) <-chan struct{} {
	done := make(chan struct{})
	b.desk.actor.Go(func() message {
		defer close(done) // also when it panics
		grow(1)
		return performed{x.exchange(ctx, b.clients.calls)}
	})
	return done
}

// run is a call on its way to the desk.
type run struct {
	work    chan struct{} // capacity 1: what the desk hands out, and counts; closed if it refuses
	refused error         // why; written before that
}

func newRun() run { return run{work: make(chan struct{}, 1)} }

func (r *run) on(d *desk) {
	if d.closing {
		r.fail(backends.ErrClosed)
		return
	}
	d.handOut(r.work)
}

func (r *run) fail(err error) {
	r.refused = err
	close(r.work)
}

// abandon says that the caller that was to do some work has gone.
type abandon struct{ work chan struct{} }

func (m abandon) on(d *desk) {
	d.takeBack(m.work)
	d.settle()
}
