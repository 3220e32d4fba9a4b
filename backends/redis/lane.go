package redis

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// lane is one connection for a caller that has nothing else to do than to wait for its own command: it does the I/O itself,
// which saves two goroutine switches each way. The client library does not notice that a context is cancelled while it
// reads; here there is one connection and one call at a time, so it is known which connection to close then.
//
// Owns: its client. One call at a time has it, from take to the end of do. It has no connection until its first call.
type lane struct {
	client *redis.Client
	busy   atomic.Bool
	ctx    atomic.Pointer[context.Context] // of the call that has it, or had it last
	conn   atomic.Pointer[net.Conn]        // dialled last
	ends   atomic.Int32                    // of do and cut, where both have begun to end a call
}

// newLane returns a lane for the options of a client, which it changes.
func newLane(opt redis.Options) *lane {
	l := new(lane)
	dial := opt.Dialer
	if dial == nil {
		dial = redis.NewDialer(&opt)
	}
	// The size of the pool stays: it has one connection, since it has one call at a time, but a pool of one would remember
	// its first failure to dial for a second.
	opt.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		call := l.ctx.Load()
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		// A call that ends now either finds the connection here, or is found to have ended. One that was dialled for an
		// earlier call would be a second connection.
		l.conn.Store(&c)
		if call == nil || l.ctx.Load() != call || (*call).Err() != nil {
			c.Close()
			return nil, net.ErrClosed
		}
		return c, nil
	}
	l.client = redis.NewClient(&opt)
	return l
}

// take reports whether the lane was free; then the caller has it, and must call do.
func (l *lane) take() bool { return l != nil && !l.busy.Load() && l.busy.CompareAndSwap(false, true) }

// do has x talk to the server with the lane's client, and leaves the lane. The end of ctx ends the I/O: the
// connection is closed, and the outcome of what was sent is unknown.
func (l *lane) do(ctx context.Context, x exchange) message {
	l.ctx.Store(&ctx)
	stop := context.AfterFunc(ctx, l.cut)
	m := x.exchange(ctx, l.client)
	if stop() {
		l.busy.Store(false)
	} else {
		l.leave()
	}
	return m
}

// cut ends the I/O of a call whose context has ended.
func (l *lane) cut() {
	if c := l.conn.Load(); c != nil {
		(*c).Close() // the client library finds out, and dials anew
	}
	l.leave()
}

// leave frees the lane when both do and cut are done with it: a late cut must not hit the next call.
func (l *lane) leave() {
	if l.ends.Add(1) == 2 {
		l.ends.Store(0)
		l.busy.Store(false)
	}
}
