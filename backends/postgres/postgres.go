package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Backend is one client of the locks in a database. Make it with [New]; the methods of the zero
// value panic. It is safe for concurrent use.
//
// Between acquires, while nothing is held, it has no goroutine and no connection of its own. A
// grant happens after the release that made room for it, as far as the server orders them; there is
// no happens-before edge between processes but through the server.
type Backend struct {
	id       uint64
	pool     *pgxpool.Pool
	owns     bool // the pool is closed with the backend
	opt      options
	call     texts
	client   *client
	patience time.Duration // cancelPatience, but for tests

	answerPatience time.Duration // answerPatience, but for tests
	seq            atomic.Uint64 // of the last request

	ctx     context.Context // of all I/O
	stop    context.CancelFunc
	checked atomic.Bool // the schema has the format that this package knows
	begins  atomic.Bool // statements need a transaction that is begun for them
}

var _ backends.Backend = (*Backend)(nil)

var capabilities = backends.Capabilities{
	Name: "postgres", Expiry: true, CrossProcess: true, DurableToken: true, Break: true, NamesHolder: true,
	Detach: true, AtLeast: true,
}

// New returns a backend for the locks in the database of the pool. It does not connect: the first
// acquire does. The pool stays its caller's, who closes it after the backend. Each operation is one
// statement, which needs a connection of the pool for as long as it takes. An exhausted pool keeps
// leases from being renewed, so a pool of the locks' own is safest.
//
// Errors are *backends.InvalidError.
func New(pool *pgxpool.Pool, opts ...Option) (*Backend, error) {
	if pool == nil {
		return nil, fmt.Errorf("postgres: %w",
			&backends.InvalidError{Field: "pool", Value: nil, Want: "not nil"})
	}
	o, err := newOptions(opts)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	// Positive, so that the server's numbers and ours look the same.
	b := &Backend{id: rand.Uint64() >> 1, pool: pool, opt: o, call: newTexts(o.schema), patience: cancelPatience,
		answerPatience: answerPatience}
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.client = newClient(b)
	return b, nil
}

// Capabilities tells what the store can do.
func (b *Backend) Capabilities() backends.Capabilities { return capabilities }

// tell gives the client a message. It never waits, and may be called in another actor's turn: the
// client's turn waits for nothing, and calls nobody that waits.
func (b *Backend) tell(m message) {
	if b.client == nil {
		panic("postgres: use of a zero Backend: make it with New")
	}
	if !b.client.actor.TryDeliver(m) {
		b.client.actor.Tell(m)
	}
}

// do runs f, which does I/O, in a task, and returns when f has returned or ctx has ended. The end
// of ctx wins a tie: the caller then leaves alone what f may still write.
func (b *Backend) do(ctx context.Context, f func()) error {
	if err := backends.Ended(ctx); err != nil {
		return err
	}
	j := job{f, make(chan error, 1)}
	b.tell(j)
	select {
	case err := <-j.done:
		if err != nil {
			return err
		}
	case <-ctx.Done():
	}
	return backends.Ended(ctx)
}

// job is something to be run in a task.
type job struct {
	f    func()
	done chan error // capacity 1
}

func (j job) on(cl *client) {
	if cl.closing {
		j.done <- backends.ErrClosed
		return
	}
	cl.task(func() message {
		j.f()
		j.done <- nil
		return nil
	})
}

func (j job) fail(err error) { j.done <- err }
